;; A cell of a kind that there is not.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\20\00\00\00\01\00\00\00") ;; one row: a cell at 32
  (data (i32.const 32) "\ff") ;; kind 255
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 16) (i32.const 1))
    (i32.const 0)))
