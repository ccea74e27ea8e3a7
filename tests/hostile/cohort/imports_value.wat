;; A value that somebody would have to give.
(component
  (import "secret" (value u32))
  {{runs}})
