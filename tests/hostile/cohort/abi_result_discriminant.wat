;; A result that is neither.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\07\00\00\00") ;; neither ok (0) nor an error (1)
  (func (export "run") (result i32)
    (i32.const 16)))
