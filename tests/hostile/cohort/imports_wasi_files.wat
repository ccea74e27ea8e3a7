;; Files of the host.
(component
  (import "wasi:filesystem/preopens@0.2.0" (instance))
  {{runs}})
