;; More bytes than an upload may have.
(component
  (@custom "padding" "{{33554433|x}}")
  {{runs}})
