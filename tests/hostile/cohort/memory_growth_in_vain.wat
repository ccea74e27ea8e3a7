;; A growth that is refused, and then nothing.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (drop (memory.grow (i32.const 65535)))
    (i32.const 0)))
