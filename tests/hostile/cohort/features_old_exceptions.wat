;; Exceptions as they were proposed first.
(component
  (core module (func try nop catch_all nop end))
  {{runs}})
