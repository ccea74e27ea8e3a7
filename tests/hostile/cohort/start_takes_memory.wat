;; A start function that asks for all memory.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $start (if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1)) (then unreachable)))
  (start $start)
  (func (export "run") (result i32)
    (i32.const 0)))
