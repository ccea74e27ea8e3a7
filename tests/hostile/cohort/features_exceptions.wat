;; Exceptions.
(component
  (core module (tag))
  {{runs}})
