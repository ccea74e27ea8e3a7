;; A table of records inside the module.
(component
  (core module (memory 1000) (data "{{25165825|x}}"))
  {{runs}})
