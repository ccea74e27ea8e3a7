;; Its own words, and a patient's, in an error.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\01\00\00\00\20\00\00\00\16\00\00\00") ;; an error, its text at 32
  (data (i32.const 32) "CANARY of patient 17 ..") ;; 22 letters
  (func (export "run") (result i32)
    (i32.const 16)))
