;; A component that a registry would choose.
(component
  (import "unlocked-dep=<sekisho:analysis@{>=0.1.0}>" (component))
  {{runs}})
