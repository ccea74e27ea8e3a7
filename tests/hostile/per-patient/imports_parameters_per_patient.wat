;; An interface of the other world.
(component
  (import "sekisho:analysis/parameters@0.1.0" (instance))
  {{runs}})
