;; Contributes to the cell of its patient's site a hash of everything that it was given, and of
;; what it could remember: no attack, a question to the sandbox.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; one contribution at 16
  (data (i32.const 16) "\00\00\00\00\40\00\00\00\01\00\00\00\48\00\00\00\01\00\00\00") ;; its key at 64, value at 72
  (func (export "contribute") (param $tables i32) (param i32 i32 i32) (result i32)
    (local $at i32)
    (local $hash i64)
    (i32.store (i32.const 64)
      (i32.load (i32.load offset=4 (i32.load offset=4 (local.get $tables)))))
    ;; FNV-1a over all that the host has put into this memory.
    (local.set $hash (i64.const 0xcbf29ce484222325))
    (local.set $at (i32.const 8192))
    (loop $next
      (local.set $hash (i64.mul (i64.const 0x100000001b3)
        (i64.xor (local.get $hash) (i64.load8_u (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (global.get $free))))
    ;; Few enough digits to be published as they are.
    (f64.store (i32.const 72)
      (f64.convert_i64_u (i64.rem_u (local.get $hash) (i64.const 99991))))
    (i32.const 0)))
