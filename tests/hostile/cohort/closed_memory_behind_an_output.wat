;; A bit in what lies behind a text.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  {{secret}}
  (data (i32.const 16) "ok") ;; the text
  (func (export "run") (result i32)
    (i32.store (i32.const 18) (i32.mul (call $secret) (i32.const 0x41414141)))
    (call $table (i32.const 0) (i32.const 0) (i32.const 0))
    (call $histogram (i32.const 1) (i32.const 0) (i32.const 0))
    (call $text (i32.const 2) (i32.const 16) (i32.const 2))
    (i32.const 0)))
