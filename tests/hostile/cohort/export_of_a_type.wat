;; A type under the name of the function.
(component
  (type $t u32)
  (export "run" (type $t)))
