;; A section said to have four gigabytes.
(component binary "\00asm\0d\00\01\00\01\ff\ff\ff\ff\0f")
