;; An error whose length claims two encodings.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "\01\00\00\00\20\00\00\00\ff\ff\ff\ff") ;; an error of 2^31 - 1 units
    (func (export "run") (result i32) (i32.const 16)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))
      string-encoding=latin1+utf16)))
