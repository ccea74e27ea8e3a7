;; A position that wraps round.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; 1 contribution(s) at 16
  (data (i32.const 16) "\ff\ff\ff\ff\00\02\00\00\01\00\00\00\00\00\00\00\00\00\00\00") ;; output, keys and how many, values and how many
  (data (i32.const 512) "\00\00\00\00\01\00\00\00\02\00\00\00") ;; keys 0, 1 and 2
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
