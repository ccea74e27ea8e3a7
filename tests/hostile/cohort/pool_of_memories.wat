;; Two memories, each in a module of its own.
(component
  (core module $a (memory 1))
  (core instance (instantiate $a))
  {{runs}})
