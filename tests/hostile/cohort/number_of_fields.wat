;; A record of ten thousand and one fields.
(component
  (type (record {{10001|(field "f#" u8)}}))
  {{runs}})
