;; Rows at an odd address.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 1) (i32.const 1))
    (i32.const 0)))
