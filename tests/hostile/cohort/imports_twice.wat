;; The same name twice.
(component
  (import "sekisho:analysis/data@0.1.0" (instance))
  (import "sekisho:analysis/data@0.1.0" (instance))
  {{runs}})
