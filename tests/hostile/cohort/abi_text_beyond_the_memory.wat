;; A text that ends outside.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $text (i32.const 2) (i32.const 65530) (i32.const 100))
    (i32.const 0)))
