;; Rows that end outside.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 65528) (i32.const 100))
    (i32.const 0)))
