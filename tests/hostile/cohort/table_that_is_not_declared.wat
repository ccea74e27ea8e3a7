;; A table of another analysis.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (drop (call $open (i32.const 1)))
    (i32.const 0)))
