;; A function that no patient's call could mend.
(component
  (core module $m (func (export "contribute") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func (export "contribute") (result u32) (canon lift (core func $i "contribute"))))
