;; A hundred and one tables.
(component
  (core module {{101|(table 1 funcref)}})
  {{runs}})
