;; More memory than 32 bits address.
(component
  (core module (memory i64 1))
  {{runs}})
