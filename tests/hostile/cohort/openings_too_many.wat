;; A reader more than a run may open.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (loop $l
      (drop (call $open (i32.const 0)))
      (br $l))
    (i32.const 0)))
