;; An error in UTF-16 with half a letter.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "\01\00\00\00\20\00\00\00\01\00\00\00") ;; an error, its text at 32
    (data (i32.const 32) "\00\d8") ;; a surrogate without the other
    (func (export "run") (result i32) (i32.const 16)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")) string-encoding=utf16)))
