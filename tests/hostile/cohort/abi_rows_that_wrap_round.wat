;; So many rows that their bytes wrap round.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $table (i32.const 0) (i32.const 64) (i32.const 0x20000001))
    (i32.const 0)))
