//! What reaches the terminal: tables for people, JSON for programs.
//!
//! Invariant: with `--json` standard output holds exactly one JSON value (or one
//! per line for streams), whose field names are those of the proto files.

use std::{
    io::{self, IsTerminal, Write},
    sync::LazyLock,
    time::Duration,
};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};

use crate::error::CliError;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(sekisho_proto::FILE_DESCRIPTOR_SET).ok());

/// Where a command prints, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// JSON instead of tables.
    pub json: bool,
    /// No progress bars and no remarks.
    pub quiet: bool,
}

impl Screen {
    /// Prints one message: `human` or, with `--json`, the message itself.
    ///
    /// # Errors
    /// Fails when standard output is closed or `type_name` is not in the contract.
    pub(crate) fn record<M: Message>(
        &self,
        type_name: &str,
        message: &M,
        human: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.json { self.value(&to_json(type_name, message)?) } else { self.text(&human()) }
    }

    /// Prints a list: `table` or, with `--json`, an array of messages.
    ///
    /// # Errors
    /// As [`Screen::record`].
    pub(crate) fn list<M: Message>(
        &self,
        type_name: &str,
        messages: &[M],
        table: impl FnOnce() -> Table,
    ) -> Result<(), CliError> {
        if self.json {
            let items = messages
                .iter()
                .map(|message| to_json(type_name, message))
                .collect::<Result<Vec<_>, _>>()?;
            self.value(&Value::Array(items))
        } else if messages.is_empty() {
            self.text("(none)")
        } else {
            self.text(&table().trim_fmt())
        }
    }

    /// Prints a JSON value as the whole answer.
    ///
    /// # Errors
    /// Fails when standard output is closed.
    pub(crate) fn value(&self, value: &Value) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
        self.text(&text.map_err(CliError::file("standard output"))?)
    }

    /// Prints one line of a stream of JSON values.
    ///
    /// # Errors
    /// Fails when standard output is closed.
    pub(crate) fn json_line(&self, value: &Value) -> Result<(), CliError> {
        self.text(&value.to_string())
    }

    /// Prints text and a newline.
    ///
    /// # Errors
    /// Fails when standard output is closed.
    pub(crate) fn text(&self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(CliError::file("standard output"))
    }

    /// A remark for a person beside the answer; standard error, never in JSON mode.
    pub(crate) fn remark(&self, text: &str) {
        if !self.json && !self.quiet {
            // A closed standard error must not fail the command.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Reports the error that ends the command, on standard error.
    pub(crate) fn error(&self, error: &CliError) {
        let text = if self.json { error_json(error).to_string() } else { error_text(error) };
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A progress bar on standard error; hidden when nobody looks.
    #[must_use]
    pub(crate) fn bar(&self, length: u64, what: &'static str, template: &str) -> ProgressBar {
        let hidden = self.json || self.quiet || !io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(length),
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() },
        );
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

/// The canonical JSON of a message, with the field names of the proto files,
/// every field present, 64-bit integers as numbers, bytes in base64.
///
/// # Errors
/// Fails when `type_name` (as in `sekisho.v1.Run`) is not in the contract.
pub(crate) fn to_json<M: Message>(type_name: &str, message: &M) -> Result<Value, CliError> {
    let describe = || {
        let descriptor = POOL.as_ref()?.get_message_by_name(&format!("sekisho.v1.{type_name}"))?;
        let dynamic =
            DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()?;
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .skip_default_fields(false)
            .stringify_64_bit_integers(false);
        dynamic.serialize_with_options(serde_json::value::Serializer, &options).ok()
    };
    describe().ok_or(CliError::Contract("a message of a known type"))
}

/// A line under the header and no other: rows stay easy to select and to grep.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table in the house form: header, rule, rows; right-aligned columns are named.
#[must_use]
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.to_vec());
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Aligned `name  value` lines; empty values are left out.
#[must_use]
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// An instant as `2026-04-01T00:00:00Z`; empty when unset.
#[must_use]
pub(crate) fn instant(timestamp: Option<&prost_types::Timestamp>) -> String {
    let convert = || jiff::Timestamp::new(timestamp?.seconds, 0).ok();
    convert().map_or_else(String::new, |instant| instant.to_string())
}

/// `RUN_STATE_QUEUED` as `queued`: an enum value without its prefix.
#[must_use]
pub(crate) fn plain(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', " ")
}

fn error_text(error: &CliError) -> String {
    let mut lines = vec![format!("error: {error}"), format!("  code     {}", error.reason())];
    if let Some(refusal) = error.refusal() {
        let details = [
            ("rule   ", &refusal.rule),
            ("clause ", &refusal.clause),
            ("request", &refusal.request_id),
        ];
        for (name, value) in details {
            if let Some(value) = value {
                lines.push(format!("  {name}  {value}"));
            }
        }
    }
    if let Some(next) = error.next() {
        lines.push(format!("  next     {next}"));
    }
    lines.join("\n")
}

fn error_json(error: &CliError) -> Value {
    let refusal = error.refusal();
    json!({ "error": {
        "reason": error.reason(),
        "message": error.to_string(),
        "rule": refusal.and_then(|refusal| refusal.rule.as_deref()),
        "clause": refusal.and_then(|refusal| refusal.clause.as_deref()),
        "request_id": refusal.and_then(|refusal| refusal.request_id.as_deref()),
        "next": error.next(),
        "not_before": refusal.and_then(|refusal| refusal.not_before.as_deref()),
        "entry": error.first_bad(),
        "exit": error.exit().status(),
    }})
}

#[cfg(test)]
mod tests {
    use sekisho_proto::v1;

    use super::*;

    #[test]
    fn json_uses_proto_names_and_keeps_defaults() {
        let run = v1::Run {
            run_id: "r".to_owned(),
            state: v1::RunState::Queued.into(),
            created_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..v1::Run::default()
        };
        let value = to_json("Run", &run).expect("known type");
        assert_eq!(value["run_id"], "r");
        assert_eq!(value["state"], "RUN_STATE_QUEUED");
        assert_eq!(value["progress_tenths"], 0);
        assert_eq!(value["created_at"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn large_integers_stay_numbers() {
        let dataset = v1::Dataset { patients_rounded: 20_000, ..v1::Dataset::default() };
        let value = to_json("Dataset", &dataset).expect("known type");
        assert_eq!(value["patients_rounded"], 20_000);
    }

    #[test]
    fn an_unknown_type_is_an_error() {
        assert!(to_json("NoSuchMessage", &v1::Run::default()).is_err());
    }

    #[test]
    fn errors_are_json_with_a_stable_shape() {
        let value = error_json(&CliError::NotLoggedIn("no session"));
        assert_eq!(value["error"]["reason"], "NOT_LOGGED_IN");
        assert_eq!(value["error"]["exit"], 4);
        assert!(value["error"]["rule"].is_null());
    }

    #[test]
    fn enum_names_lose_their_prefix() {
        assert_eq!(plain("RUN_STATE_QUEUED", "RUN_STATE_"), "queued");
        assert_eq!(plain("VERDICT_RETURN", "VERDICT_"), "return");
    }
}
