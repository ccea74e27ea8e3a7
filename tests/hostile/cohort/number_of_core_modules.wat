;; More modules than anyone reviews.
(component
  {{32|(core module)}}
  {{runs}})
