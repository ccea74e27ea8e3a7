use std::collections::BTreeMap;

use super::toml_reader::TableReader;
use super::{ColumnSpec, Draw, DummySpec, Kind, MAX_CODE_BYTES, ROW_NUMBER, Rule, TableSpec, Text};
use super::{dummy_spec, rule};

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
    check_columns(reader, &columns);
    let dated = |name: &String| {
        columns.iter().any(|column| column.name == *name && column.kind == Kind::Date)
    };
    if period.as_ref().is_some_and(|name| !dated(name)) {
        reader.bad("period", "wanted the name of a date column".to_owned());
    }
    check_quick_counts(reader, &quick_counts, &columns, one_row_a_person);
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

/// Most combinations of codes that the public may ask about in one table.
const MOST_QUICK_CELLS: usize = 10_000;

fn check_quick_counts(
    reader: &TableReader<'_, '_>,
    names: &[String],
    columns: &[ColumnSpec],
    one_row_a_person: bool,
) {
    if names.is_empty() {
        return;
    }
    if !one_row_a_person {
        let reason = "persons can be added up only where there is one_row_a_person";
        reader.bad("quick_counts", reason.to_owned());
    }
    let mut cells = 1_usize;
    for name in names {
        match columns.iter().find(|column| column.name == *name) {
            // A missing value is one more.
            Some(column) if !column.codes.is_empty() => {
                cells = cells.saturating_mul(column.codes.len() + 1);
            }
            _ => reader.bad("quick_counts", format!("`{name}` is no column of declared codes")),
        }
    }
    if cells > MOST_QUICK_CELLS {
        let reason = format!("{cells} combinations, at most {MOST_QUICK_CELLS} are counted");
        reader.bad("quick_counts", reason);
    }
}

fn check_columns(reader: &TableReader<'_, '_>, columns: &[ColumnSpec]) {
    let patients = columns.iter().filter(|column| column.kind == Kind::Patient).count();
    if patients != 1 {
        reader.bad("columns", format!("wanted exactly one patient column, found {patients}"));
    }
    for (index, column) in columns.iter().enumerate() {
        let code = |name: &String| {
            columns.iter().any(|other| other.name == *name && other.kind == Kind::Code)
        };
        if let Some(name) = column.unit_in.as_ref().filter(|name| !code(name)) {
            let reason = format!("`{}`: unit_in = \"{name}\" is no code column", column.name);
            reader.bad("columns", reason);
        }
        let mut earlier = columns.iter().take(index);
        if earlier.clone().any(|other| other.name == column.name) {
            reader.bad("columns", format!("column `{}` stands twice", column.name));
        }
        let Some(DummySpec { draw: Draw::PerCode { of, .. }, .. }) = &column.dummy else {
            continue;
        };
        if !earlier.any(|other| other.name == *of && other.kind == Kind::Code) {
            let reason =
                format!("`{}`: per_code = \"{of}\" is no earlier code column", column.name);
            reader.bad("columns", reason);
        }
    }
}

fn column(reader: &TableReader<'_, '_>) -> ColumnSpec {
    let name = name(reader);
    let kind = kind(reader);
    let sources = sources(reader, &name, kind);
    let unit = reader.optional_text("unit");
    if unit.is_some() && !matches!(kind, Kind::Int | Kind::Float) {
        reader.bad("unit", "only numbers have units".to_owned());
    }
    let unit_in = reader.optional_text("unit_in");
    if unit_in.is_some() && (unit.is_some() || !matches!(kind, Kind::Int | Kind::Float)) {
        reader.bad("unit_in", "only numbers without `unit` have units in a column".to_owned());
    }
    let nullable = reader.flag("nullable");
    if nullable && kind == Kind::Patient {
        reader.bad("nullable", "every row needs its patient".to_owned());
    }
    let codes = codes(reader, kind);
    let rule = rule::read(reader, kind, !codes.is_empty());
    if rule == Rule::Allow(super::Undeclared::Missing) && !nullable {
        reader.bad("nullable", "undeclared codes become missing".to_owned());
    }
    let dummy = dummy(reader, kind, nullable, &codes, &rule);
    let description = text(reader, "description");
    let code_system = reader.optional_text("code_system");
    let systems = reader.optional_texts("systems");
    if systems.is_some() && kind != Kind::Code {
        reader.bad("systems", "only a code column has code systems".to_owned());
    }
    let systems = systems.unwrap_or_else(|| code_system.iter().cloned().collect());
    let range = range(reader, kind);
    let quasi_identifier = reader.flag("quasi_identifier");
    if quasi_identifier && kind == Kind::Patient {
        reader.bad("quasi_identifier", "a token tells nobody who it is".to_owned());
    }
    reader.refuse_unknown();
    ColumnSpec {
        name,
        kind,
        sources,
        rule,
        code_system,
        systems,
        range,
        quasi_identifier,
        unit,
        unit_in,
        nullable,
        description,
        codes,
        dummy,
    }
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

fn range(reader: &TableReader<'_, '_>, kind: Kind) -> Option<(f64, f64)> {
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

fn dummy(
    reader: &TableReader<'_, '_>,
    kind: Kind,
    nullable: bool,
    codes: &BTreeMap<String, Text>,
    rule: &Rule,
) -> Option<DummySpec> {
    let spec = reader.optional_table("dummy");
    let labels = rule.labels();
    match (kind, spec) {
        (Kind::Code, None) if !labels.is_empty() => {
            let draw = Draw::Weights(labels.into_iter().map(|label| (label, 1.0)).collect());
            Some(DummySpec { draw, missing: 0.0 })
        }
        (Kind::Patient, None) => None,
        (Kind::Patient, Some(_)) => {
            reader.bad("dummy", "patients are numbered, not drawn".to_owned());
            None
        }
        (Kind::Code, None) if !codes.is_empty() => {
            let draw = Draw::Weights(codes.keys().map(|code| (code.clone(), 1.0)).collect());
            Some(DummySpec { draw, missing: 0.0 })
        }
        (_, None) => {
            reader.bad("dummy", "how are dummy values drawn?".to_owned());
            None
        }
        (_, Some(spec)) => {
            let spec = dummy_spec::read(&spec, kind, nullable)?;
            refuse_undeclared(reader, &spec.draw, codes);
            Some(spec)
        }
    }
}

fn refuse_undeclared(reader: &TableReader<'_, '_>, draw: &Draw, codes: &BTreeMap<String, Text>) {
    match draw {
        Draw::Weights(weights) => {
            for (code, _) in weights {
                if !codes.is_empty() && !codes.contains_key(code) {
                    reader.bad("dummy", format!("`{code}` is not among the column's codes"));
                }
            }
        }
        Draw::PerCode { cases, otherwise, .. } => {
            for draw in cases.values().chain(otherwise.as_deref()) {
                refuse_undeclared(reader, draw, codes);
            }
        }
        Draw::Uniform { .. } | Draw::Normal { .. } => {}
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

pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.chars().all(plain)
}

/// Days since 1970-01-01 of an ISO date, years 1850 to 2200.
pub(crate) fn date_days(text: &str) -> Option<i32> {
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
