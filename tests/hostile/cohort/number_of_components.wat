;; A thousand and one components.
(component
  {{1001|(component)}}
  {{runs}})
