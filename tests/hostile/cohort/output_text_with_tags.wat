;; A whole record in letters that are not drawn.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  ;; "ok" and what nobody sees
  (data (i32.const 16)
    "\6f\6b\f3\a0\81\83\f3\a0\81\81\f3\a0\81\8e\f3\a0\81\81\f3\a0\81\92\f3\a0"
    "\81\99")
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 16) (i32.const 26))
    (i32.const 0)))
