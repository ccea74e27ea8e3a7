;; Records of other patients, in the world that has none.
(component
  (import "sekisho:analysis/data@0.1.0" (instance))
  {{runs}})
