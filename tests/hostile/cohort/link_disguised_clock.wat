;; A clock inside a nested component, said to be our data.
(component
  (import "sekisho:analysis/data@0.1.0" (instance $data (export "now" (func (result u64)))))
  (component $inner
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))
  (instance (instantiate $inner
    (with "wasi:clocks/monotonic-clock@0.2.0" (instance $data))))
  {{runs}})
