;; A page of records as a remark.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (memory.fill (i32.const 16) (i32.const 120) (i32.const 1001))
    (call $text (i32.const 2) (i32.const 16) (i32.const 1001))
    (i32.const 0)))
