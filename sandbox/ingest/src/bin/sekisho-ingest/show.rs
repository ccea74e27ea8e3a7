//! How progress, results and errors look.

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sekisho_ingest::{IngestError, ListNote, Progress, Summary, Totals};
use serde::Serialize;
use serde_json::{Value, json};

/// A progress bar on a terminal: what is done, how far, for rows how many and how fast, and
/// the time left.
pub(crate) struct Bar {
    target: Box<dyn Fn() -> ProgressDrawTarget>,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar that is drawn there.
    pub(crate) fn on(target: impl Fn() -> ProgressDrawTarget + 'static) -> Self {
        Self { target: Box::new(target), bar: None }
    }
}

impl Progress for Bar {
    fn start(&mut self, what: &str, total: u64) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
        let bar = ProgressBar::with_draw_target(Some(total), (self.target)());
        let bar = bar.with_message(what.to_owned());
        let template = "{msg:20} [{bar:40}] {percent:>3} %  {prefix}  {eta} left";
        let style = ProgressStyle::with_template(template);
        self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    }

    fn at(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn rows(&mut self, rows: u64) {
        if let Some(bar) = &self.bar {
            let rate = rows as f64 / bar.elapsed().as_secs_f64().max(1e-3);
            bar.set_prefix(format!("{} rows, {}/s", HumanCount(rows), HumanCount(rate as u64)));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

pub(crate) fn summary_text(summary: &Summary) -> String {
    let mut text =
        format!("Sealed {} {}: {} patients\n", summary.dataset, summary.version, summary.patients);
    if !summary.resumed.is_empty() {
        text.push_str(&format!("Finished before: {}\n", summary.resumed.join(", ")));
    }
    for (table, rows) in &summary.rows {
        text.push_str(&format!("  {table:20} {rows:>10} rows\n"));
    }
    for (table, totals) in &summary.totals {
        // A source that was taken whole needs no account.
        if totals.sealed != totals.read {
            text.push_str(&format!("  {table:20} {}\n", totals_text(totals)));
        }
    }
    for list in &summary.lists {
        text.push_str(&format!("  {}\n", list_text(list)));
    }
    for (table, note) in &summary.uniqueness {
        text.push_str(&format!(
            "  {table:20} k = {}: {} of {} persons unique, {} below the minimum cell\n",
            note.smallest_class, note.unique_persons, note.persons, note.persons_below_min_cell
        ));
    }
    for (what, path) in [("Intake report", &summary.report), ("Rejected rows", &summary.rejects)] {
        if let Some(path) = path {
            text.push_str(&format!("{what}: {}\n", path.display()));
        }
    }
    text.push_str(&format!("Folder: {}\n", summary.folder.display()));
    text.push_str(&format!("Catalogue entry: {}", summary.catalogue.display()));
    text
}

pub(crate) fn totals_text(totals: &Totals) -> String {
    format!(
        "{} read = {} sealed + {} opted out + {} not notified + {} deleted + {} rejected + {} removed by rule",
        totals.read,
        totals.sealed,
        totals.opted_out,
        totals.not_notified,
        totals.deleted,
        totals.rejected,
        totals.removed_by_rule
    )
}

/// What was said of a list of persons.
pub(crate) fn list_text(list: &ListNote) -> String {
    let ListNote { kind, joined, entries, .. } = list;
    if *joined {
        format!("{kind} list joined: {entries} row(s)")
    } else {
        format!("{kind} list: there is none, by --no-{kind}s")
    }
}

/// The error, its cause, and its stable code.
pub(crate) fn error_text(error: &IngestError) -> String {
    let mut text = format!("error [{}]: {error}", error.code());
    for cause in causes(error) {
        text.push_str(&format!("\n  because: {cause}"));
    }
    text
}

pub(crate) fn error_json(error: &IngestError) -> Value {
    let errors = match error {
        IngestError::Source { errors, .. } => to_json(errors),
        IngestError::Profile(errors) => errors
            .0
            .iter()
            .map(|error| {
                json!({
                    "code": error.code, "line": error.line,
                    "path": error.path, "reason": error.reason,
                })
            })
            .collect(),
        _ => Value::Array(Vec::new()),
    };
    let message = error.to_string();
    let causes = causes(error);
    json!({ "error": { "code": error.code(), "message": message, "because": causes, "errors": errors } })
}

fn causes(error: &IngestError) -> Vec<String> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
}

/// A text from a source as it may go to a terminal: what would steer it, or turn the order in
/// which the text is read, is escaped.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{61c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                shown.extend(letter.escape_unicode());
            }
            _ if letter.is_control() => shown.extend(letter.escape_unicode()),
            _ => shown.push(letter),
        }
    }
    shown
}

pub(crate) fn to_json(value: &impl Serialize) -> Value {
    // Our own structs with text keys always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

/// With the warning in it, if there is one: what is printed stays one value.
pub(crate) fn json_text(mut value: Value, warning: Option<&str>) -> String {
    if let (Some(object), Some(warning)) = (value.as_object_mut(), warning) {
        object.insert("warnings".to_owned(), json!([warning]));
    }
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what is drawn on it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            160
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn progress_has_the_step_its_rows_their_rate_and_the_time_left() {
        let paper = Paper::default();
        let terminal = paper.clone();
        let target = move || ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut bar = Bar::on(target);
        bar.start("reading stays", 1_000_000);
        bar.at(500_000);
        bar.rows(12_345);
        bar.start("sealing", 16);
        drop(bar);
        let drawn = paper.0.lock().unwrap();
        for part in ["reading stays", "50 %", "12,345 rows, ", "/s", " left", "sealing"] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }

    #[test]
    fn cr_1_a_warning_is_in_what_is_printed_and_leaves_it_one_value() {
        let read = |warning| -> Value {
            serde_json::from_str(&json_text(json!({ "version": "v1" }), warning)).unwrap()
        };
        assert_eq!(read(None), json!({ "version": "v1" }));
        assert_eq!(read(Some("x")), json!({ "version": "v1", "warnings": ["x"] }));
        assert_eq!(json_text(json!([]), Some("x")), "[]", "a list has no place for it");
    }
}
