;; A segment that was dropped.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data $d "abc")
  (func (export "run") (result i32)
    (data.drop $d)
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3))
    (i32.const 0)))
