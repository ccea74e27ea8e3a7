;; Three thousand times the same contribution, one more than allowed.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (func (export "contribute") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 1)))
    (local.set $at (i32.const 65536))
    (loop $l
      (i32.store offset=4 (local.get $at) (i32.const 512))
      (i32.store offset=8 (local.get $at) (i32.const 1))
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 20)))
      (br_if $l (i32.lt_u (local.get $at) (i32.const 131052))))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 3200))
    (i32.const 0)))
