;; The largest number of contributions.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\ff\ff\ff\ff") ;; 4294967295 contribution(s) at 16
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
