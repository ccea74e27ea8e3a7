;; A function with a thousand and one parameters.
(component
  (core module (func (param {{1001|i64 }})))
  {{runs}})
