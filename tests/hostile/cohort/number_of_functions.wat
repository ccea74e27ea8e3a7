;; More functions than anyone reviews.
(component
  (core module {{50001|(func)}})
  {{runs}})
