;; An error that is not UTF-8.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\01\00\00\00\20\00\00\00\02\00\00\00") ;; an error, its text at 32
  (data (i32.const 32) "\ff\ff") ;; no UTF-8
  (func (export "run") (result i32)
    (i32.const 16)))
