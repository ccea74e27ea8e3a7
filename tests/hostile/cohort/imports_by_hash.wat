;; A component by its hash.
(component
  (import "integrity=<sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=>" (component))
  {{runs}})
