;; Waiting on memory.
(component
  (core module (memory 1 2 shared) (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))
  {{runs}})
