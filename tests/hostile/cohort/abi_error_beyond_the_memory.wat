;; An error whose text is outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\01\00\00\00\fa\ff\00\00\64\00\00\00") ;; an error, its text at 65530
  (func (export "run") (result i32)
    (i32.const 16)))
