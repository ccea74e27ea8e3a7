;; A bit in which output comes first.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  {{secret}}
  (func (export "run") (result i32)
    (if (call $secret)
      (then (call $table (i32.const 0) (i32.const 0) (i32.const 0)) (call $histogram (i32.const 1) (i32.const 0) (i32.const 0)))
      (else (call $histogram (i32.const 1) (i32.const 0) (i32.const 0)) (call $table (i32.const 0) (i32.const 0) (i32.const 0))))
    (call $text (i32.const 2) (i32.const 0) (i32.const 0))
    (i32.const 0)))
