;; A component that is made of twice the one before, twenty-six times.
(component
  (core module $a)
  (component $c0 (core module $b) (core instance (instantiate $b)))
  {{26|(component $c# (instance (instantiate $c#-)) (instance (instantiate $c#-)))}}
  (instance (instantiate $c26))
  {{runs}})
