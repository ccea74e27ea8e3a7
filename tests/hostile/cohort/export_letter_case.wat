;; The function in other letters.
(component
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "RUN") (canon lift (core func $i "run"))))
