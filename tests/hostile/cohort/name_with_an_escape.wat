;; A name that drives the terminal it is shown on.
(component
  (import "read\1b[2J" (func))
  {{runs}})
