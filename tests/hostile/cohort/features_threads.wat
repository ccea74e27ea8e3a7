;; Memory shared between threads, a clock of its own making.
(component
  (core module (memory 1 2 shared))
  {{runs}})
