;; Typed references.
(component
  (core module (func (param (ref func))))
  {{runs}})
