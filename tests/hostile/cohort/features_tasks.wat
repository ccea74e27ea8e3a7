;; A wait for other tasks.
(component
  (core module $a (memory (export "m") 1))
  (core instance $b (instantiate $a))
  (core func (canon waitable-set.new))
  {{runs}})
