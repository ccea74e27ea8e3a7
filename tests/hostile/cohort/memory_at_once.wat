;; Four gigabytes at once.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (drop (memory.grow (i32.const 65535)))
    unreachable))
