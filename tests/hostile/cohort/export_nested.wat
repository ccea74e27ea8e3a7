;; The function is that of a component inside.
(component
  (component {{runs}}))
