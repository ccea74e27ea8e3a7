;; Outputs of its own, past the aggregation.
(component
  (import "sekisho:analysis/outputs@0.1.0" (instance))
  {{runs}})
