;; An answer outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 65534)))
