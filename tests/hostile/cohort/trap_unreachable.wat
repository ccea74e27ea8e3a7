;; The end of itself.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    unreachable))
