;; A name of a hundred thousand letters.
(component
  (import "{{99999|x}}" (func))
  {{runs}})
