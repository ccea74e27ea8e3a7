;; A value as an export.
(component
  (import "v" (value $v u32))
  (export "w" (value $v))
  {{runs}})
