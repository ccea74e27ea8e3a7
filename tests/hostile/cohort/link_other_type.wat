;; A function of ours with other arguments.
(component
  (import "sekisho:analysis/outputs@0.1.0" (instance (export "emit-text" (func (param "output" u64)))))
  {{runs}})
