;; A number that is none, as an integer.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (i32.trunc_f64_u (f64.const nan))))
