;; Bytes that are not UTF-8.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 16) "\ff\fe\c0\80") ;; no UTF-8
  (func (export "run") (result i32)
    (call $text (i32.const 2) (i32.const 16) (i32.const 4))
    (i32.const 0)))
