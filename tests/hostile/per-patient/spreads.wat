;; Contributes to every output of the manifest: no attack, what other runs are compared with.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\04\00\00\00") ;; four contributions at 16
  (data (i32.const 16) "\00\00\00\00\00\02\00\00\01\00\00\00\00\00\00\00\00\00\00\00") ;; the site is counted
  (data (i32.const 36) "\01\00\00\00\00\00\00\00\00\00\00\00\08\02\00\00\01\00\00\00") ;; the weight summed,
  (data (i32.const 56) "\02\00\00\00\00\00\00\00\00\00\00\00\08\02\00\00\01\00\00\00") ;; put in a bin,
  (data (i32.const 76) "\03\00\00\00\00\00\00\00\00\00\00\00\08\02\00\00\02\00\00\00") ;; taken for a time
  (func (export "contribute") (param $tables i32) (param i32 i32 i32) (result i32)
    (local $columns i32)
    (local.set $columns (i32.load offset=4 (local.get $tables)))
    (i32.store (i32.const 512) (i32.load (i32.load offset=4 (local.get $columns))))
    (f64.store (i32.const 520) (f64.load (i32.load offset=24 (local.get $columns))))
    ;; An event for the patients of the second site.
    (f64.store (i32.const 528) (f64.convert_i32_u (i32.load (i32.const 512))))
    (i32.const 0)))
