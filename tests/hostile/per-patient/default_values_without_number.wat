;; The largest number of values.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; 1 contribution(s) at 16
  (data (i32.const 16) "\01\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\ff\ff\ff\ff") ;; output, keys and how many, values and how many
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
