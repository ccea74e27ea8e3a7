;; A segment that ends outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 65530) "beyond the end")
  (func (export "run") (result i32)
    (i32.const 0)))
