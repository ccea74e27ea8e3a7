;; A type that only the host could make.
(component
  (import "handle" (type (sub resource)))
  {{runs}})
