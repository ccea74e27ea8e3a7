use std::collections::BTreeMap;

use super::dummy_spec::Drawing;
use super::toml_reader::TableReader;
use super::{ColumnSpec, Draw, DummySpec, Kind, MAX_CODE_BYTES, ROW_NUMBER, Rule, TableSpec, Text};
use super::{dummy_spec, items, rule, together};

pub(super) fn table(reader: &TableReader<'_, '_>) -> TableSpec {
    let name = name(reader);
    let description = text(reader, "description");
    let dummy_rows = match reader.optional_pair("dummy_rows") {
        None => (1, 1),
        Some((low, high)) if 0.0 <= low && low <= high && high <= 10_000.0 => {
            (low as u32, high as u32)
        }
        Some(_) => {
            reader.bad("dummy_rows", "wanted [fewest, most], 0 to 10000".to_owned());
            (1, 1)
        }
    };
    let mut columns: Vec<ColumnSpec> = reader.tables("columns").iter().map(column).collect();
    let removed = rule::removed(reader);
    let one_row_a_person = reader.flag("one_row_a_person");
    let (record, fhir) = (reader.optional_text("record"), reader.optional_text("fhir"));
    let fields = reader.optional_texts("fields").unwrap_or_default();
    let period = reader.optional_text("period");
    let quick_counts = reader.optional_texts("quick_counts").unwrap_or_default();
    reader.refuse_unknown();
    if one_row_a_person && dummy_rows.1 > 1 {
        reader.bad("dummy_rows", "there is one_row_a_person".to_owned());
    }
    together::check_columns(reader, &columns);
    let dated = |name: &String| {
        columns.iter().any(|column| column.name == *name && column.kind == Kind::Date)
    };
    if period.as_ref().is_some_and(|name| !dated(name)) {
        reader.bad("period", "wanted the name of a date column".to_owned());
    }
    together::check_quick_counts(reader, &quick_counts, &columns, one_row_a_person);
    // First in the sealed file: readers that split files by the place of the first column
    // then always find one whose key they hold.
    columns.sort_by_key(|column| column.kind != Kind::Patient);
    TableSpec {
        name,
        description,
        columns,
        removed,
        one_row_a_person,
        record,
        fields,
        period,
        quick_counts,
        fhir,
        dummy_rows,
    }
}

fn column(reader: &TableReader<'_, '_>) -> ColumnSpec {
    let name = name(reader);
    let kind = kind(reader);
    let sources = sources(reader, &name, kind);
    let (unit, unit_in) = units(reader, kind);
    let nullable = nullable(reader, kind);
    let codes = codes(reader, kind);
    let rule = column_rule(reader, kind, nullable, &codes);
    let range = range(reader, kind);
    let not_before = not_before(reader, kind);
    let (items, dummy) = match items::read(reader, kind, nullable) {
        Some((items, dummy)) => (Some(items), Some(dummy)),
        None => {
            let not_before = not_before.as_deref();
            let (rule, codes) = (rule.clone(), codes.clone());
            let drawing = Drawing { kind, nullable, rule, codes, range, not_before };
            (None, dummy(reader, &drawing))
        }
    };
    let description = text(reader, "description");
    let (code_system, systems) = code_systems(reader, kind);
    let quasi_identifier = quasi_identifier(reader, kind);
    reader.refuse_unknown();
    ColumnSpec {
        name,
        kind,
        sources,
        rule,
        code_system,
        systems,
        range,
        not_before,
        items,
        quasi_identifier,
        unit,
        unit_in,
        nullable,
        description,
        codes,
        dummy,
    }
}

/// The unit of a number, or the column that holds it.
fn units(reader: &TableReader<'_, '_>, kind: Kind) -> (Option<String>, Option<String>) {
    let number = matches!(kind, Kind::Int | Kind::Float);
    let (unit, unit_in) = (reader.optional_text("unit"), reader.optional_text("unit_in"));
    if unit.is_some() && !number {
        reader.bad("unit", "only numbers have units".to_owned());
    }
    if unit_in.is_some() && (unit.is_some() || !number) {
        reader.bad("unit_in", "only numbers without `unit` have units in a column".to_owned());
    }
    (unit, unit_in)
}

fn nullable(reader: &TableReader<'_, '_>, kind: Kind) -> bool {
    let nullable = reader.flag("nullable");
    if nullable && kind == Kind::Patient {
        reader.bad("nullable", "every row needs its patient".to_owned());
    }
    nullable
}

fn column_rule(
    reader: &TableReader<'_, '_>,
    kind: Kind,
    nullable: bool,
    codes: &BTreeMap<String, Text>,
) -> Rule {
    let rule = rule::read(reader, kind, !codes.is_empty());
    if rule == Rule::Allow(super::Undeclared::Missing) && !nullable {
        reader.bad("nullable", "undeclared codes become missing".to_owned());
    }
    rule
}

fn not_before(reader: &TableReader<'_, '_>, kind: Kind) -> Option<String> {
    let not_before = reader.optional_text("not_before");
    if not_before.is_some() && kind != Kind::Date {
        reader.bad("not_before", "only a date has an order".to_owned());
    }
    not_before
}

/// The code system that is shown, and those that a source's codes are taken from.
fn code_systems(reader: &TableReader<'_, '_>, kind: Kind) -> (Option<String>, Vec<String>) {
    let (shown, systems) = (reader.optional_text("code_system"), reader.optional_texts("systems"));
    if systems.is_some() && kind != Kind::Code {
        reader.bad("systems", "only a code column has code systems".to_owned());
    }
    let systems = systems.unwrap_or_else(|| shown.iter().cloned().collect());
    (shown, systems)
}

fn quasi_identifier(reader: &TableReader<'_, '_>, kind: Kind) -> bool {
    let quasi_identifier = reader.flag("quasi_identifier");
    if quasi_identifier && kind == Kind::Patient {
        reader.bad("quasi_identifier", "a token tells nobody who it is".to_owned());
    }
    quasi_identifier
}

fn sources(reader: &TableReader<'_, '_>, name: &str, kind: Kind) -> Vec<String> {
    let mut sources = reader.text_or_texts("source");
    if sources.is_empty() {
        sources.push(name.to_owned());
    }
    let row_number = sources.iter().any(|source| source.starts_with('@'));
    if row_number && (sources != [ROW_NUMBER] || kind != Kind::Patient) {
        reader.bad("source", format!("only a patient column may have `{ROW_NUMBER}`, alone"));
    }
    if sources.len() > 1 && kind != Kind::Patient {
        reader.bad("source", "only a patient column may have several".to_owned());
    }
    sources
}

pub(super) fn range(reader: &TableReader<'_, '_>, kind: Kind) -> Option<(f64, f64)> {
    if kind == Kind::Date {
        let dates = reader.optional_texts("range")?;
        let days: Vec<f64> =
            dates.iter().filter_map(|date| date_days(date)).map(f64::from).collect();
        return match days.as_slice() {
            [low, high] if low <= high && dates.len() == 2 => Some((*low, *high)),
            _ => {
                reader.bad("range", "wanted two dates YYYY-MM-DD, earlier first".to_owned());
                None
            }
        };
    }
    let (low, high) = reader.optional_pair("range")?;
    // A code made of a number or a date has its range before the rule.
    if low > high || kind == Kind::Patient {
        reader.bad("range", "wanted [smallest, largest] of a number or date".to_owned());
    }
    Some((low, high))
}

fn kind(reader: &TableReader<'_, '_>) -> Kind {
    match reader.text("kind").as_str() {
        "patient" => Kind::Patient,
        "code" => Kind::Code,
        "int" => Kind::Int,
        "float" => Kind::Float,
        "date" => Kind::Date,
        "" => Kind::Int,
        other => {
            let reason = format!("`{other}` is none of patient, code, int, float, date");
            reader.bad("kind", reason);
            Kind::Int
        }
    }
}

fn codes(reader: &TableReader<'_, '_>, kind: Kind) -> BTreeMap<String, Text> {
    let Some(table) = reader.optional_table("codes") else { return BTreeMap::new() };
    if kind != Kind::Code {
        reader.bad("codes", "only a code column has codes".to_owned());
    }
    let mut codes = BTreeMap::new();
    for (code, value) in table.entries() {
        if code.is_empty() || code.len() > MAX_CODE_BYTES {
            reader.bad("codes", format!("a code has 1 to {MAX_CODE_BYTES} bytes"));
        }
        if let Some(meaning) = table.as_table(&code, value) {
            codes.insert(code, text_of(&meaning));
        }
    }
    codes
}

fn dummy(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<DummySpec> {
    let alike = |codes: Vec<String>| {
        let draw = Draw::Weights(codes.into_iter().map(|code| (code, 1.0)).collect());
        Some(DummySpec { draw, missing: 0.0 })
    };
    let labels = column.rule.labels();
    match (column.kind, reader.optional_table("dummy")) {
        (Kind::Patient, None) => None,
        (Kind::Patient, Some(_)) => {
            reader.bad("dummy", "patients are numbered, not drawn".to_owned());
            None
        }
        (Kind::Code, None) if !labels.is_empty() => alike(labels),
        (Kind::Code, None) if !column.codes.is_empty() => {
            alike(column.codes.keys().cloned().collect())
        }
        (_, None) => {
            reader.bad("dummy", "how are dummy values drawn?".to_owned());
            None
        }
        (_, Some(spec)) => {
            let spec = dummy_spec::read(&spec, column)?;
            for code in column.undeclared(&spec.draw) {
                reader.bad("dummy", format!("`{code}` is not among the column's codes"));
            }
            Some(spec)
        }
    }
}

/// A bilingual text, required.
pub(super) fn text(reader: &TableReader<'_, '_>, key: &'static str) -> Text {
    match reader.optional_table(key) {
        Some(table) => text_of(&table),
        None => {
            reader.bad(key, "wanted { ja = \"...\", en = \"...\" }".to_owned());
            Text::default()
        }
    }
}

fn text_of(table: &TableReader<'_, '_>) -> Text {
    let text = Text { ja: table.text("ja"), en: table.text("en") };
    table.refuse_unknown();
    text
}

/// Names become folder, file, Parquet and SQL names, so they are kept plain.
fn name(reader: &TableReader<'_, '_>) -> String {
    let name = reader.text("name");
    if !name.is_empty() && !is_name(&name) {
        let reason = "wanted a lower-case letter, then letters, digits or _, at most 63".to_owned();
        reader.bad("name", reason);
    }
    name
}

/// Whether a text may name a data set, table or column: a lower-case letter, then
/// lower-case letters, digits or `_`, at most 63.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.chars().all(plain)
}

/// Days since 1970-01-01 of an ISO date `YYYY-MM-DD`, years 1850 to 2200; `None` otherwise.
#[must_use]
pub fn date_days(text: &str) -> Option<i32> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: jiff::civil::Date = shape.then(|| text.parse().ok()).flatten()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    (1850..=2200)
        .contains(&date.year())
        .then(|| epoch.until(date).ok().map(|span| span.get_days()))
        .flatten()
}
