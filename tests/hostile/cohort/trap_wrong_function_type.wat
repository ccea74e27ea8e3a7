;; An indirect call of another type.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (type $other (func (param i64) (result i32)))
  (table 1 funcref)
  (func $f)
  (elem (i32.const 0) func $f)
  (func (export "run") (result i32)
    (call_indirect (type $other) (i64.const 1) (i32.const 0))))
