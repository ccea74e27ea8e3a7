;; Two series of one group.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  ;; the same series twice
  (data (i32.const 16)
    "\00\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "run") (result i32)
    (call $histogram (i32.const 1) (i32.const 16) (i32.const 2))
    (i32.const 0)))
