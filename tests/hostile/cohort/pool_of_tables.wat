;; Two tables in one module.
(component
  (core module $a (table 1 funcref) (table 1 funcref))
  (core instance (instantiate $a))
  {{runs}})
