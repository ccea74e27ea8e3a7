;; Looks whether its memory, globals, tables and segments are as in its image, says so by a
;; contribution (key 0 clean, 1 not), and then writes over all of them. For patients of the
;; second site it traps at the end, which is the default (key 2): no attack, a question to the
;; sandbox.
(module
  (memory (export "memory") 2 10)
  (data (i32.const 0) "\10\00\00\00\01\00\00\00") ;; one contribution at 16
  (data (i32.const 16) "\00\00\00\00\40\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00") ;; its key at 64
  (data (i32.const 1024) "an image")
  (data $passive "a passive segment")
  (table $table 4 20 funcref)
  (elem (i32.const 1) func $filler)
  (elem $later func $filler)
  (global $counter (mut i64) (i64.const 7))
  ;; What the host passes in stands in the second page.
  (global $free (mut i32) (i32.const 65536))
  (func $filler)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $free)
    (global.set $free (i32.and (i32.const -8)
      (i32.add (global.get $free) (i32.add (local.get 3) (i32.const 7))))))

  (func $unless (param $clean i32)
    (if (i32.eqz (local.get $clean)) (then (i32.store (i32.const 64) (i32.const 1)))))

  (func $zero (param $at i32) (param $end i32)
    (local $all i64)
    (loop $next
      (local.set $all (i64.or (local.get $all) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (call $unless (i64.eqz (local.get $all))))

  (func $look
    (local $at i32)
    (call $unless (i64.eq (global.get $counter) (i64.const 7)))
    (call $unless (i32.eq (memory.size) (i32.const 2)))
    (call $unless (i64.eq (i64.load (i32.const 1024)) (i64.const 0x6567616d69206e61)))
    (call $unless (i32.eqz (i32.load (i32.const 64))))
    (call $zero (i32.const 72) (i32.const 1024))
    (call $zero (i32.const 1032) (i32.const 65536))
    (call $zero (global.get $free) (i32.const 131072))
    (call $unless (i32.eq (memory.grow (i32.const 8)) (i32.const 2)))
    (call $zero (i32.const 131072) (i32.const 655360))
    (call $unless (i32.eq (table.size $table) (i32.const 4)))
    (call $unless (ref.is_null (table.get $table (i32.const 0))))
    (call $unless (i32.eqz (ref.is_null (table.get $table (i32.const 1)))))
    (call $unless (i32.eq (table.grow $table (ref.null func) (i32.const 16)) (i32.const 4)))
    (local.set $at (i32.const 2))
    (loop $next
      (call $unless (ref.is_null (table.get $table (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 20))))
    ;; These trap when a segment was dropped.
    (memory.init $passive (i32.const 2048) (i32.const 0) (i32.const 17))
    (call $unless (i64.eq (i64.load (i32.const 2048)) (i64.const 0x7669737361702061)))
    (table.init $later (i32.const 19) (i32.const 0) (i32.const 1)))

  (func $poison
    (memory.fill (i32.const 72) (i32.const 0xa5) (i32.const 655288))
    (global.set $counter (i64.const -1))
    (table.fill $table (i32.const 0) (ref.func $filler) (i32.const 20))
    (data.drop $passive)
    (elem.drop $later))

  (func (export "contribute") (param $tables i32) (param i32 i32 i32) (result i32)
    (local $site i32)
    (local.set $site
      (i32.load (i32.load offset=4 (i32.load offset=4 (local.get $tables)))))
    (call $look)
    (call $poison)
    (if (local.get $site) (then unreachable))
    (i32.const 0)))
