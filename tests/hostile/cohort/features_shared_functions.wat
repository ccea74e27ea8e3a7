;; Functions shared between threads.
(component
  (core module (type (shared (func))))
  {{runs}})
