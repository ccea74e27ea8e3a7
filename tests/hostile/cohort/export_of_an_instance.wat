;; An instance under the name of the function.
(component
  (component $c)
  (instance $i (instantiate $c))
  (export "run" (instance $i)))
