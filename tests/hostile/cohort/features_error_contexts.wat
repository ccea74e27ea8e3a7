;; Text handed on in an error context.
(component
  (core func (canon error-context.drop))
  {{runs}})
