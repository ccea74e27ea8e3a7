;; A table that fills the memory of the host.
(component
  (core module $a (table 10000000 funcref))
  (core instance (instantiate $a))
  {{runs}})
