;; The codes of a column that has none.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $dictionary (i32.const 0) (i32.const 2) (i32.const 64))
    (i32.const 0)))
