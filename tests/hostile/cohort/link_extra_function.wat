;; A function that our interface does not have.
(component
  (import "sekisho:analysis/data@0.1.0" (instance (export "steal" (func))))
  {{runs}})
