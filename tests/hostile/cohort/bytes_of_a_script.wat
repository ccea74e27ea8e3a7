;; No WebAssembly at all.
;; (not wrapped)
(module binary "#!/bin/sh\nid\n")
