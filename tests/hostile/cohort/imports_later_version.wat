;; A version that might be taken for ours.
(component
  (import "sekisho:analysis/data@0.1.1" (instance))
  {{runs}})
