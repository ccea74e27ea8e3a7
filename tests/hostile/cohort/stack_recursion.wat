;; A function that calls itself.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $f (param i32) (result i32)
    (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))
  (func (export "run") (result i32)
    (i32.sub (call $f (i32.const 1)) (i32.const 0))))
