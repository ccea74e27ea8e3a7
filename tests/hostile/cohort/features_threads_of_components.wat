;; A thread of the component model.
(component
  (core type $f (func (param i32)))
  (core func (canon thread.available_parallelism))
  {{runs}})
