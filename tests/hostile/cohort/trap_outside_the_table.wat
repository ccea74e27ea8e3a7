;; An indirect call behind the table.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (table 1 funcref)
  (func (export "run") (result i32)
    (call_indirect (result i32) (i32.const 1000))))
