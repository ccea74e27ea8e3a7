;; A read behind the memory.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (i32.load (i32.const 0x7ffffff0))))
