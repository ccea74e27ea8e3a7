;; Half a letter.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\e3\81") ;; two of three bytes
  (func (export "run") (result i32)
    (call $text (i32.const 2) (i32.const 16) (i32.const 2))
    (i32.const 0)))
