;; A table that grows beyond what tables may have.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (table 1 funcref)
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (if (i32.eq (table.grow (ref.null func) (i32.const 30000)) (i32.const -1)) (then unreachable))
    (i32.const 0)))
