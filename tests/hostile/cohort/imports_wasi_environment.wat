;; Environment and arguments.
(component
  (import "wasi:cli/environment@0.2.0" (instance))
  {{runs}})
