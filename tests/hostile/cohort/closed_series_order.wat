;; A bit in the order of two series.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  {{secret}}
  ;; two series, then the same in the other order
  (data (i32.const 16)
    "\00\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\04\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\04\02\00\00\01\00\00\00"
    "\00\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00")
  (data (i32.const 512) "\00\00\00\00\01\00\00\00") ;; their keys
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.add (i32.const 16) (i32.mul (call $secret) (i32.const 64))) (i32.const 2))
    (call $text (i32.const 2) (i32.const 0) (i32.const 0))
    (i32.const 0)))
