;; Few instructions that each do much.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (loop $l
      (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))
      (br $l))
    (i32.const 0)))
