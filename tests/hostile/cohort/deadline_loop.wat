;; A loop in a run that has no fuel.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (loop $l (br $l))
    (i32.const 0)))
