;; A segment that begins before zero.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const -8) "before the start")
  (func (export "run") (result i32)
    (i32.const 0)))
