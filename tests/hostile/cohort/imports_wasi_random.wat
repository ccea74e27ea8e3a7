;; Randomness, to hide with.
(component
  (import "wasi:random/random@0.2.0" (instance))
  {{runs}})
