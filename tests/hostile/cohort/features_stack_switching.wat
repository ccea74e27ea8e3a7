;; Stacks of its own.
(component
  (core module (type $f (func)) (type (cont $f)))
  {{runs}})
