;; A position that wraps round.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $dictionary (i32.const -1) (i32.const -1) (i32.const 64))
    (i32.const 0)))
