;; Few calls with frames of many bytes.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $f (param i64) (result i64)
    (local {{2000|i64 }})
    {{2000|(local.set # (i64.load offset=# (i32.const 0)))}}
    (call $f (local.get 0))
    {{2000|(i64.add (local.get #))}})
  (func (export "run") (result i32)
    (drop (call $f (i64.const 1)))
    (i32.const 0)))
