;; A function that the component itself starts.
(component
  (core module $a (func (export "f")))
  (core instance $b (instantiate $a))
  (func $f (canon lift (core func $b "f")))
  (start $f)
  {{runs}})
