;; A component by its address.
(component
  (import "url=<https://example.test/a.wasm>" (component))
  {{runs}})
