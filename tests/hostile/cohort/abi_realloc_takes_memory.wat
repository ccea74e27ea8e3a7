;; An allocator that asks for all memory.
(module
  {{imports}}
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable)) (i32.const 0))
  (func (export "run") (result i32)
    (call $dictionary (i32.const 0) (i32.const 1) (i32.const 64))
    (i32.const 0)))
