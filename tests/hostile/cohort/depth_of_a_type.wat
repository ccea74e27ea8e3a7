;; Lists of lists of lists.
(component
  (type $t0 u8)
  {{101|(type $t# (list $t#-))}}
  {{runs}})
