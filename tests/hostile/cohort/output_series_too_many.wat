;; More bins than are ever reviewed.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (drop (memory.grow (i32.const 6)))
    (call $histogram (i32.const 1) (i32.const 65536) (i32.const 10000))
    (i32.const 0)))
