;; More cells than are ever reviewed.
(module
  {{imports}}
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "run") (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 4)))
    (local.set $at (i32.const 65536))
    (loop $l
      (i32.store (local.get $at) (i32.const 16))
      (i32.store offset=4 (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $at) (i32.const 262144))))
    (call $table (i32.const 0) (i32.const 65536) (i32.const 20001))
    (i32.const 0)))
