;; A function that calls itself.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $f (param i32) (result i32)
    (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (call $f (i32.const 1))))
