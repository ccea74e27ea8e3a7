;; A number of more bytes than it may have.
(component binary "\00asm\0d\00\01\00\00\80\80\80\80\80\80\00")
