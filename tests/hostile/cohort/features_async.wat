;; A call that returns before it has ended.
(component
  (core module $a (func (export "f") (result i32) unreachable))
  (core instance $b (instantiate $a))
  (func (export "f") async (canon lift (core func $b "f") async))
  {{runs}})
