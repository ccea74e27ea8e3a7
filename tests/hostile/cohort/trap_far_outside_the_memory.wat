;; A read with the largest address and offset.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (i32.load offset=0xffffffff (i32.const 0xffffffff))))
