;; Code inside an interface of ours.
(component
  (import "sekisho:analysis/data@0.1.0" (instance (export "code" (core module))))
  {{runs}})
