;; The same output twice, the second time what was not reviewed.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\00\01\00\00\03\00\00\00") ;; 1 row(s): where the cells are, how many
  ;; row 1: key 0, count 0, number
  (data (i32.const 256)
    "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\00\00\00\00\00\00\f8\3f")
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $table (i32.const 0) (i32.const 16) (i32.const 1))
    (i32.const 0)))
