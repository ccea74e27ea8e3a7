;; A section nobody knows.
(component binary "\00asm\0d\00\01\00\7f\01\00")
