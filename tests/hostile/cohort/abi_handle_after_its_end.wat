;; A reader that it has closed.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (local $reader i32)
    (local.set $reader (call $open (i32.const 0)))
    (call $close (local.get $reader))
    (call $next (local.get $reader) (i32.const 1) (i32.const 64))
    (i32.const 0)))
