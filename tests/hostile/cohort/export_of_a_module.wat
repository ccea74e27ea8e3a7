;; Code under the name of the function.
(component
  (core module $m)
  (export "run" (core module $m)))
