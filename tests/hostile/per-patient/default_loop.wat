;; A loop that never ends.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (loop $l (br $l))
    (i32.const 0)))
