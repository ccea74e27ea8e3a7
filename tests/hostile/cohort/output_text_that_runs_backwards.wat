;; A text that reads otherwise than it stands.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\6f\6b\20\e2\80\ae\79\72\61\6e\61\63\e2\80\ac") ;; "ok" and what nobody sees
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 16) (i32.const 15))
    (i32.const 0)))
