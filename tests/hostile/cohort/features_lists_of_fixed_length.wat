;; Lists whose length is in their type.
(component
  (type (list u8 4))
  {{runs}})
