;; Memory that is too much only in sum.
(component
  {{2|(core module (memory 2100))}}
  {{runs}})
