;; Objects on a heap of the engine.
(component
  (core module (type (struct)))
  {{runs}})
