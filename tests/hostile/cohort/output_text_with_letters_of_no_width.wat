;; Bits between the letters that nobody sees.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\6f\6b\e2\80\8b\e2\80\8c\e2\80\8d\e2\81\a0") ;; "ok" and what nobody sees
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 16) (i32.const 14))
    (i32.const 0)))
