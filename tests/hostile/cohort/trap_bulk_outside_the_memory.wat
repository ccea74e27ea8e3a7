;; A copy that ends outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (memory.copy (i32.const 0) (i32.const 65000) (i32.const 1000))
    (i32.const 0)))
