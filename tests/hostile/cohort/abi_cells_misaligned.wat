;; Cells at an address that is no multiple of eight.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\24\00\00\00\03\00\00\00") ;; one row: 3 cells at 36
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 16) (i32.const 1))
    (i32.const 0)))
