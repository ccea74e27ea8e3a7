;; Our interface in a package that looks like ours.
(component
  (import "sekisho:ana1ysis/data@0.1.0" (instance))
  {{runs}})
