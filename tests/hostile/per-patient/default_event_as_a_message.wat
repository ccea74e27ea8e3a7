;; An event that is a number of its own choice.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; 1 contribution(s) at 16
  (data (i32.const 16) "\03\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\02\00\00\00") ;; output, keys and how many, values and how many
  (data (i32.const 512) "\00\00\00\00\00\00\14\40\00\00\00\80\90\52\73\41") ;; time 5, event 20261128
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
