;; A resource of its own in place of the reader.
(component
  (import "sekisho:analysis/parameters@0.1.0" (instance (export "reader" (type (sub resource)))))
  {{runs}})
