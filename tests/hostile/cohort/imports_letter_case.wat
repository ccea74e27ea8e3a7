;; Our interface in other letters.
(component
  (import "sekisho:analysis/DATA@0.1.0" (instance))
  {{runs}})
