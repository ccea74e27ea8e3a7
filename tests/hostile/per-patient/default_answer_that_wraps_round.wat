;; So many contributions that their bytes wrap round.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\ce\cc\cc\0c") ;; 214748366 contribution(s) at 16
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (i32.const 0)))
