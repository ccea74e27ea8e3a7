;; A function with a frame that fills the stack.
(component
  (core module (func (local {{50001|i64 }})))
  {{runs}})
