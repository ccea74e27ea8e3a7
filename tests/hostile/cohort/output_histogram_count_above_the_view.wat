;; Bins of more patients than the run has read.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  ;; a series with 2^64 - 1 above
  (data (i32.const 16)
    "\00\02\00\00\01\00\00\00\00\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00"
    "\ff\ff\ff\ff\ff\ff\ff\ff")
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.const 16) (i32.const 1))
    (i32.const 0)))
