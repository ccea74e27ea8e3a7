;; A core module, whose imports are other ones.
;; (not wrapped)
(module (import "wasi_snapshot_preview1" "fd_write" (func)))
