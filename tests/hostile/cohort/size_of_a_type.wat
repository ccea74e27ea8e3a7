;; A type that doubles with each line.
(component
  (type $t0 u8)
  {{40|(type $t# (tuple $t#- $t#-))}}
  {{runs}})
