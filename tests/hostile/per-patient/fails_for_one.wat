;; Contributes site and weight of everybody; for the one whose weight is 77.25 it does what
;; `secret` says: 0 gives just what the default is, the others go wrong in ways of their own.
(module
  (memory (export "memory") 1)
  {{realloc}}
  (data (i32.const 0) "\10\00\00\00\02\00\00\00") ;; two contributions at 16
  (data (i32.const 16) "\00\00\00\00\00\02\00\00\01\00\00\00\00\00\00\00\00\00\00\00") ;; the site is counted
  (data (i32.const 36) "\01\00\00\00\00\00\00\00\00\00\00\00\08\02\00\00\01\00\00\00") ;; the weight summed
  (func $deeper (param i32) (result i32)
    (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))
  (func $fail (param $how i32) (result i32)
    (block $answer (block $recursion (block $memory (block $loop (block $trap (block $default
      (br_table $default $trap $loop $memory $recursion $answer (local.get $how)))
        ;; The default: site 1, no weight.
        (i32.store (i32.const 512) (i32.const 1))
        (i32.store (i32.const 4) (i32.const 1))
        (return (i32.const 0)))
      unreachable)
    (loop $endless (br $endless)))
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 100)) (i32.const -1))))
    unreachable)
    (return (call $deeper (i32.const 1))))
    ;; An answer that ends outside.
    (i32.store (i32.const 4) (i32.const 1000000))
    (i32.const 0))
  (func (export "contribute")
    (param $tables i32) (param i32) (param $parameters i32) (param i32) (result i32)
    (local $columns i32)
    (local.set $columns (i32.load offset=4 (local.get $tables)))
    (i32.store (i32.const 512) (i32.load (i32.load offset=4 (local.get $columns))))
    (f64.store (i32.const 520) (f64.load (i32.load offset=24 (local.get $columns))))
    (if (f64.eq (f64.load (i32.const 520)) (f64.const 77.25))
      (then (return (call $fail (i32.load offset=8 (local.get $parameters))))))
    (i32.const 0)))
