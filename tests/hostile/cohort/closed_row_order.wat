;; A bit in the order of two rows.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  {{secret}}
  (data (i32.const 16) "\00\01\00\00\03\00\00\00\40\01\00\00\03\00\00\00") ;; the rows in one order
  (data (i32.const 32) "\40\01\00\00\03\00\00\00\00\01\00\00\03\00\00\00") ;; and in the other
  ;; row 1: key 0, count 0, number
  (data (i32.const 256)
    "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\00\00\00\00\00\00\f8\3f")
  ;; row 2: key 1, count 0, number
  (data (i32.const 320)
    "\01\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\00\00\00\00\00\00\04\40")
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.add (i32.const 16) (i32.shl (call $secret) (i32.const 4))) (i32.const 2))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 0) (i32.const 0))
    (i32.const 0)))
