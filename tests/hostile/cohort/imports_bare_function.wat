;; A function under a name of its own.
(component
  (import "read" (func))
  {{runs}})
