;; Our interface without a version.
(component
  (import "sekisho:analysis/data" (instance))
  {{runs}})
