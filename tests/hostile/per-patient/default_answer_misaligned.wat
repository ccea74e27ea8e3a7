;; Contributions at an odd address.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\11\00\00\00\01\00\00\00") ;; 1 contribution(s) at 17
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
