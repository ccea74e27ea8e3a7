;; Nothing to call.
(component
  (core module))
