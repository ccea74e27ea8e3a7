;; An answer of the host put outside.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $values (i32.const 65534))
    (i32.const 0)))
