;; A reader that it never opened.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (call $next (i32.const 77) (i32.const 1) (i32.const 64))
    (i32.const 0)))
