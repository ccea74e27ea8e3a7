//! Short forms in the WAT text of the corpus.

/// A core module's allocator for what the host passes in: it never frees.
const REALLOC: &str = r#"(global $free (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $free)
    (global.set $free (i32.and (i32.const -8)
      (i32.add (global.get $free) (i32.add (local.get 3) (i32.const 7))))))"#;

/// In a component: an export `run` as the cohort world asks for, which does nothing.
const RUNS: &str = r#"(core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))))"#;

/// Imports of the cohort world.
const IMPORTS: &str = r#"(import "sekisho:analysis/data@0.1.0" "[constructor]reader"
    (func $open (param i32) (result i32)))
  (import "sekisho:analysis/data@0.1.0" "[method]reader.next-batch"
    (func $next (param i32 i32 i32)))
  (import "sekisho:analysis/data@0.1.0" "[resource-drop]reader" (func $close (param i32)))
  (import "sekisho:analysis/data@0.1.0" "dictionary" (func $dictionary (param i32 i32 i32)))
  (import "sekisho:analysis/outputs@0.1.0" "emit-table" (func $table (param i32 i32 i32)))
  (import "sekisho:analysis/outputs@0.1.0" "emit-histogram"
    (func $histogram (param i32 i32 i32)))
  (import "sekisho:analysis/outputs@0.1.0" "emit-text" (func $text (param i32 i32 i32)))
  (import "sekisho:analysis/parameters@0.1.0" "values" (func $values (param i32)))"#;

/// The value of the only parameter, `secret`, in the cohort world.
const SECRET: &str = r#"(func $secret (result i32)
    (call $values (i32.const 1024))
    (i32.load (i32.add (i32.load (i32.const 1024)) (i32.const 8))))"#;

/// Writes out the short forms: `{{realloc}}` and its like, and `{{N|TEXT}}` for TEXT N times,
/// in which `#` is the number of the repetition from 1, and `#-` the one before.
pub(crate) fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (form, after) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&written(form));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn written(form: &str) -> String {
    if let Some((times, text)) = form.split_once('|') {
        let times: usize = times.parse().unwrap_or_else(|e| panic!("{form}: {e}"));
        return repeated(times, text);
    }
    let short = [("realloc", REALLOC), ("runs", RUNS), ("imports", IMPORTS), ("secret", SECRET)];
    let found = short.iter().find(|(name, _)| *name == form);
    found.unwrap_or_else(|| panic!("{form} is no short form")).1.to_owned()
}

fn repeated(times: usize, text: &str) -> String {
    if !text.contains('#') {
        return text.repeat(times);
    }
    let one = |at: usize| text.replace("#-", &(at - 1).to_string()).replace('#', &at.to_string());
    (1..=times).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_written_out() {
        assert_eq!(expand("a{{3|x}}b{{2|(t# t#-)}}"), "axxxb(t1 t0)(t2 t1)");
        assert!(expand("{{runs}}").contains("canon lift"));
    }
}
