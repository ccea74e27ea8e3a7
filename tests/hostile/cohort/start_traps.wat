;; A start function that traps.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func $start unreachable)
  (start $start)
  (func (export "run") (result i32)
    (i32.const 0)))
