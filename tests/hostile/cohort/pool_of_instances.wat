;; One small module, made forty-one times.
(component
  (core module $a)
  {{41|(core instance (instantiate $a))}}
  {{runs}})
