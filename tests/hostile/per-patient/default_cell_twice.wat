;; A patient who counts twice.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\02\00\00\00") ;; 2 contribution(s) at 16
  ;; output, keys and how many, values and how many
  (data (i32.const 16)
    "\01\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\01\00\00\00\01\00\00\00"
    "\00\00\00\00\00\00\00\00\00\02\00\00\01\00\00\00")
  (data (i32.const 512) "\00\00\00\00\00\00\49\40") ;; 50
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
