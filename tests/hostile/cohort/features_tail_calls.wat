;; Endless calls without a stack.
(component
  (core module (func $f return_call $f))
  {{runs}})
