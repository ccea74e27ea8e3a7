;; Blanks that are bits.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "ok\09 \09 ") ;; tabs and blanks
  (func (export "run") (result i32)
    (call $text (i32.const 2) (i32.const 16) (i32.const 6))
    (i32.const 0)))
