;; A wrong answer or the default that stands in for it.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $secret (param i32) (result i32) (i32.load offset=8 (local.get 0)))
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; one contribution
  (data (i32.const 16) "\00\00\00\00\00\02\00\00\01\00\00\00\00\00\00\00\00\00\00\00") ;; output 0, one key
  (data (i32.const 512) "\01\00\00\00") ;; key 1, as in the default
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (if (call $secret (local.get 2)) (then (i32.store (i32.const 16) (i32.const 9))))
    (i32.const 0)))
