;; More memory than a patient may have.
(module
  (memory (export "memory") 2000)
  {{realloc}}
  (func (export "contribute") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
