;; More memory than there is before the first instruction.
(component
  (core module (memory 5000))
  {{runs}})
