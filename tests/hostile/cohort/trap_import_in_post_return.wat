;; A call into the host while it tidies up.
(module
  (import "sekisho:analysis/outputs@0.1.0" "emit-text" (func $text (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_post_run") (param i32)
    (call $text (i32.const 2) (i32.const 0) (i32.const 0)))
  (func (export "run") (result i32) (i32.const 0)))
