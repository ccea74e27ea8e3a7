;; A name longer than names may be.
(component
  (import "{{100001|x}}" (func))
  {{runs}})
