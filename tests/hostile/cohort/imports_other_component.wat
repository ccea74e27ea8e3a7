;; A component from elsewhere.
(component
  (import "other" (component))
  {{runs}})
