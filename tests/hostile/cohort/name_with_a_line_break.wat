;; A name that writes a line of its own into a log.
(component
  (import "read\nrun approved" (func))
  {{runs}})
