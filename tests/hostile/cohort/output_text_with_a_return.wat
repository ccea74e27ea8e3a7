;; A line that overwrites another.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "sec\0dok") ;; a carriage return
  (func (export "run") (result i32)
    (call $text (i32.const 2) (i32.const 16) (i32.const 6))
    (i32.const 0)))
