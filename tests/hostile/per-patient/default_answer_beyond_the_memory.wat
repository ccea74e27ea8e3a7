;; Contributions that end outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\f8\ff\00\00\64\00\00\00") ;; 100 contribution(s) at 65528
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
