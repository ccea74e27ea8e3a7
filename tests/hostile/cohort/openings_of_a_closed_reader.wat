;; Readers opened and closed without end.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (loop $l
      (call $close (call $open (i32.const 0)))
      (br $l))
    (i32.const 0)))
