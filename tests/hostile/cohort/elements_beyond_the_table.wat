;; Elements that end outside.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (table 1 funcref)
  (func $f)
  (elem (i32.const 1) func $f)
  (func (export "run") (result i32)
    (i32.const 0)))
