;; The function of the cohort world.
(component
  {{runs}})
