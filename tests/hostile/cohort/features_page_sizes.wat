;; Pages of another size.
(component
  (core module (memory 1 (pagesize 1)))
  {{runs}})
