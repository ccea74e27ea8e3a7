;; An instance that is large without any memory.
(component
  (core module $a {{200000|(global (mut v128) (v128.const i64x2 0 0))}})
  (core instance (instantiate $a))
  {{runs}})
