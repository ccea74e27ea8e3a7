;; A bit in how a whole number is given.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  {{secret}}
  (data (i32.const 16) "\00\01\00\00\03\00\00\00\40\01\00\00\03\00\00\00") ;; one row or another
  ;; one
  (data (i32.const 256)
    "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\00\00\00\00\00\00\1c\40")
  ;; the other
  (data (i32.const 320)
    "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\07\00\00\00\00\00\00\00")
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.add (i32.const 16) (i32.shl (call $secret) (i32.const 3))) (i32.const 1))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 0) (i32.const 0))
    (i32.const 0)))
