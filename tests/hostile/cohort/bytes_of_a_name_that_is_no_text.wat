;; A name that is not UTF-8.
(component binary "\00asm\0d\00\01\00\00\05\04\ff\fe\fd\fc\0a\06\01\00\02\ff\fe\01")
