;; The reader of no number.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $close (i32.const 0))
    (i32.const 0)))
