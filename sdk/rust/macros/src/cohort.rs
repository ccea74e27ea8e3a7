//! Types and glue of a cohort analysis.

use sekisho_module::{
    ColumnKind, KeySpec, Manifest, OutputBody, OutputSpec, TableColumnSpec, TableInput, TableRole,
    TableSpec,
};

use crate::names::{pascal, snake};
use crate::shared;

/// Rows asked for at a time: each call has a cost, and more does not get faster.
const BATCH_ROWS: u32 = 65_536;

pub(crate) fn code(manifest: &Manifest) -> String {
    let batches: String = manifest.tables.iter().map(batch).collect();
    let rows: String = manifest.outputs.iter().map(output_type).collect();
    format!("{batches}{rows}{}{}{}", outputs(manifest), view(manifest), glue(manifest))
}

fn batch(table: &TableInput) -> String {
    let fields: String = table
        .columns
        .iter()
        .map(|column| {
            let (doc, kind) = match column.kind {
                ColumnKind::Patient => (
                    "Number of the patient in this run, from 0 in order of first sight.",
                    "::std::vec::Vec<u32>".to_owned(),
                ),
                ColumnKind::Code => ("Positions in the column's dictionary.", column_of("u32")),
                ColumnKind::Int => ("Values.", column_of("i64")),
                ColumnKind::Float => ("Values.", column_of("f64")),
                ColumnKind::Date => ("Days since 1970-01-01.", column_of("i32")),
            };
            format!("#[doc = {doc:?}] pub {}: {kind},\n", snake(&column.name))
        })
        .collect();
    let doc = format!("Rows of table `{}`; rows of one patient stand together.", table.name);
    format!(
        "#[doc = {doc:?}] #[derive(Clone, Debug, Default, PartialEq)] pub struct {} {{ \
         /// Number of rows.\n pub rows: usize, {fields} }}\n",
        pascal(&table.name)
    )
}

fn column_of(kind: &str) -> String {
    format!("::sekisho_analysis::Column<{kind}>")
}

/// The row or series type of an output.
pub(crate) fn output_type(output: &OutputSpec) -> String {
    let name = pascal(&output.name);
    match &output.body {
        OutputBody::Table(spec) => {
            let fields: String = spec.columns.iter().map(field).collect();
            format!(
                "#[doc = {:?}] #[derive(Clone, Debug, Default, PartialEq)] \
                 pub struct {name}Row {{ {fields} }}\n",
                format!("One row of `{}`.", output.name)
            )
        }
        OutputBody::Survival(spec) => {
            let keys: String = spec.keys.iter().map(key_field).collect();
            format!(
                "#[doc = {:?}] #[derive(Clone, Debug, Default, PartialEq)] \
                 pub struct {name}Curve {{ {keys} \
                 /// What happened, times rising.\n \
                 pub moments: ::std::vec::Vec<::sekisho_analysis::Moment> }}\n",
                format!("One group of `{}`.", output.name)
            )
        }
        OutputBody::Histogram(spec) => {
            let keys: String = spec.keys.iter().map(key_field).collect();
            format!(
                "#[doc = {:?}] #[derive(Clone, Debug, Default, PartialEq)] \
                 pub struct {name}Series {{ {keys} \
                 /// Distinct patients in each bin.\n pub patients: ::std::vec::Vec<u64>, \
                 /// Below the first edge.\n pub below: u64, \
                 /// At or above the last edge.\n pub above: u64 }}\n",
                format!("One group of `{}`.", output.name)
            )
        }
        _ => String::new(),
    }
}

fn field(column: &TableColumnSpec) -> String {
    let (doc, kind) = match &column.role {
        TableRole::Key(_) => ("Position in the key's labels or dictionary.", "u32"),
        TableRole::PatientCount => ("Distinct patients.", "::sekisho_analysis::Value<i64>"),
        TableRole::Count => ("A count.", "::sekisho_analysis::Value<i64>"),
        TableRole::Statistic => ("A statistic.", "::sekisho_analysis::Value<f64>"),
    };
    format!("#[doc = {doc:?}] pub {}: {kind},\n", snake(&column.name))
}

fn key_field(key: &KeySpec) -> String {
    format!("/// Position in the key's labels or dictionary.\n pub {}: u32,\n", snake(&key.name))
}

fn outputs(manifest: &Manifest) -> String {
    let fields: String = manifest
        .outputs
        .iter()
        .map(|output| {
            let (name, row) = (snake(&output.name), pascal(&output.name));
            let kind = match &output.body {
                OutputBody::Table(_) => format!("::std::vec::Vec<{row}Row>"),
                OutputBody::Histogram(_) => format!("::std::vec::Vec<{row}Series>"),
                OutputBody::Survival(_) => format!("::std::vec::Vec<{row}Curve>"),
                OutputBody::Coefficients(_) => "::sekisho_analysis::Fit".to_owned(),
                _ => "::std::string::String".to_owned(),
            };
            let doc = format!("{}.{}", output.title, positions(&output.body));
            format!("#[doc = {doc:?}] pub {name}: {kind},\n")
        })
        .collect();
    format!(
        "/// The declared outputs, to be filled; they are emitted when `run` returns.\n\
         #[derive(Clone, Debug, Default, PartialEq)] pub struct Outputs {{ {fields} }}\n"
    )
}

/// What the positions that an output takes stand for.
pub(crate) fn positions(body: &OutputBody) -> String {
    match body {
        OutputBody::Coefficients(spec) => format!(" Terms are positions in {:?}.", spec.terms),
        _ => String::new(),
    }
}

/// Natively `View` holds batches that a test made; in the sandbox it asks the host.
fn view(manifest: &Manifest) -> String {
    let mut fields = String::new();
    let mut native = String::new();
    let mut wasm = String::new();
    for (at, table) in manifest.tables.iter().enumerate() {
        let (name, batch) = (snake(&table.name), pascal(&table.name));
        let head = format!(
            "#[doc = {:?}] pub fn {name}(&self) -> impl ::core::iter::Iterator<Item = {batch}> + '_",
            format!("A pass over table `{}`.", table.name)
        );
        fields += &format!(
            "#[doc = {:?}] pub {name}_batches: ::std::vec::Vec<{batch}>,\n",
            format!("What `{name}()` gives, batch by batch.")
        );
        native += &format!("{head} {{ self.{name}_batches.iter().cloned() }}\n");
        wasm += &format!("{head} {{ glue::{name}() }}\n");
        for (column_at, column) in table.columns.iter().enumerate() {
            if column.kind != ColumnKind::Code {
                continue;
            }
            let codes = format!("{name}_{}_codes", snake(&column.name));
            let head = format!(
                "#[doc = {:?}] pub fn {codes}(&self) -> ::std::vec::Vec<::std::string::String>",
                format!("The sorted codes of `{}.{}`.", table.name, column.name)
            );
            fields += &format!(
                "#[doc = {:?}] pub {codes}: ::std::vec::Vec<::std::string::String>,\n",
                format!("What `{codes}()` gives.")
            );
            native += &format!("{head} {{ self.{codes}.clone() }}\n");
            wasm += &format!("{head} {{ glue::dictionary({at}, {column_at}) }}\n");
        }
    }
    fields += "/// What `query()` gives, by its SQL.\n\
               pub answers: ::std::vec::Vec<(::std::string::String, ::sekisho_analysis::Told)>,\n";
    native += &query(
        "let told = self.answers.iter().find(|(known, _)| known == sql); \
         told.map(|(_, told)| told.clone().answer()).ok_or_else(|| \
         ::std::format!(\"the test has no answer to {sql}\"))",
    );
    wasm += &query("::core::result::Result::Ok(glue::query(sql, arguments))");
    format!(
        "/// The view of the data. Tests fill the fields; in the sandbox the host answers.\n\
         #[cfg(not(target_family = \"wasm\"))] #[derive(Clone, Debug, Default, PartialEq)] \
         pub struct View {{ {fields} }}\n\
         #[cfg(not(target_family = \"wasm\"))] impl View {{ {native} }}\n\
         /// The view of the data.\n\
         #[cfg(target_family = \"wasm\")] pub struct View(());\n\
         #[cfg(target_family = \"wasm\")] impl View {{ {wasm} }}\n"
    )
}

fn query(body: &str) -> String {
    format!(
        "/// Asks SQL of the view: one SELECT over the declared tables and columns, `$1` standing \
         for the first argument. SQL that is not allowed ends the run.\n\
         #[allow(unused_variables, clippy::missing_errors_doc)] \
         pub fn query(&self, sql: &str, arguments: &[::sekisho_analysis::Argument]) -> \
         ::core::result::Result<::sekisho_analysis::Answer, ::std::string::String> {{ {body} }}\n"
    )
}

/// The host's side of queries, inside the glue module.
const QUERIES: &str = "struct Pulled(data::Query);\n\
    impl ::sekisho_analysis::Pull for Pulled {\n\
    fn next(&mut self) -> ::core::option::Option<(usize, ::std::vec::Vec<Values>)> {\n\
    let batch = self.0.next_batch(BATCH_ROWS)?;\n\
    let columns = batch.columns.into_iter().map(|column| match column.data {\n\
    ColumnData::Codes(v) => Values::Codes(Column::new(v, column.validity)),\n\
    ColumnData::Ints(v) => Values::Ints(Column::new(v, column.validity)),\n\
    ColumnData::Floats(v) => Values::Floats(Column::new(v, column.validity)),\n\
    ColumnData::Dates(v) => Values::Dates(Column::new(v, column.validity)),\n\
    ColumnData::Patients(v) => Values::Patients(Column::new(v, column.validity)),\n\
    });\n\
    ::core::option::Option::Some((batch.rows as usize, columns.collect())) }\n\
    fn texts(&self, column: u32) -> ::std::vec::Vec<::std::string::String> {\n\
    self.0.dictionary(column) } }\n\
    #[allow(dead_code)] pub fn query(sql: &str, arguments: &[Argument]) -> Answer {\n\
    let arguments = arguments.iter().map(|argument| match argument {\n\
    Argument::Number(v) => Parameter::Number(*v),\n\
    Argument::Integer(v) => Parameter::Integer(*v),\n\
    Argument::Text(v) => Parameter::Text(v.clone()),\n\
    Argument::Flag(v) => Parameter::Flag(*v),\n\
    });\n\
    let query = data::Query::new(sql, &arguments.collect::<::std::vec::Vec<_>>());\n\
    let names = query.columns().into_iter().map(|column| column.name).collect();\n\
    Answer::over(names, ::std::boxed::Box::new(Pulled(query))) }\n";

fn glue(manifest: &Manifest) -> String {
    let readers: String = manifest.tables.iter().enumerate().map(|(at, t)| reader(at, t)).collect();
    let emits: String = manifest.outputs.iter().enumerate().map(|(at, o)| emit(at, o)).collect();
    format!(
        "const _: fn(&View, &Parameters, &mut Outputs) -> \
         ::core::result::Result<(), ::std::string::String> = run;\n\
         #[cfg(target_family = \"wasm\")] mod glue {{\n{bindings}\n\
         use sekisho::analysis::{{data, outputs as emit, parameters as given_parameters}};\n\
         use sekisho::analysis::types::{{ColumnData, Parameter}};\n\
         use sekisho::analysis::outputs::{{Cell, Series}};\n\
         #[allow(unused_imports)] use ::sekisho_analysis::{{Answer, Argument, Column, Values}};\n\
         #[allow(dead_code)] const BATCH_ROWS: u32 = {BATCH_ROWS};\n{QUERIES}\
         pub fn dictionary(table: u32, column: u32) -> ::std::vec::Vec<::std::string::String> \
         {{ data::dictionary(table, column) }}\n{readers}\n{CELLS}\
         struct Analysis;\n\
         impl Guest for Analysis {{ fn run() -> ::core::result::Result<(), ::std::string::String> \
         {{\n#[allow(unused_variables)] let given = given_parameters::values();\n{parameters}\n\
         let mut outputs = super::Outputs::default();\n\
         super::run(&super::View(()), &parameters, &mut outputs)?;\n{emits}\n\
         ::core::result::Result::Ok(()) }} }}\nexport!(Analysis);\n}}\n",
        bindings = shared::bindings("cohort"),
        parameters = shared::read_parameters(manifest),
    )
}

/// Functions of the glue that make cells of a table's values.
pub(crate) const CELLS: &str = "use ::sekisho_analysis::Value;\n\
     #[allow(dead_code)] fn count(value: Value<i64>) -> Cell { match value { \
     Value::Given(v) => Cell::Count(v), Value::Missing => Cell::Missing, \
     Value::Suppressed => Cell::Suppressed } }\n\
     #[allow(dead_code)] fn number(value: Value<f64>) -> Cell { match value { \
     Value::Given(v) if v.is_finite() => Cell::Number(v), \
     Value::Given(_) | Value::Missing => Cell::Missing, \
     Value::Suppressed => Cell::Suppressed } }\n";

fn reader(at: usize, table: &TableInput) -> String {
    let (name, batch) = (snake(&table.name), pascal(&table.name));
    let fields: String = table
        .columns
        .iter()
        .map(|column| {
            let field = snake(&column.name);
            let (case, made) = match column.kind {
                ColumnKind::Patient => ("Patients", "values"),
                ColumnKind::Code => ("Codes", "Column::new(values, column.validity)"),
                ColumnKind::Int => ("Ints", "Column::new(values, column.validity)"),
                ColumnKind::Float => ("Floats", "Column::new(values, column.validity)"),
                ColumnKind::Date => ("Dates", "Column::new(values, column.validity)"),
            };
            format!(
                "{field}: {{ let column = columns.next()?; \
                 if let ColumnData::{case}(values) = column.data {{ {made} }} \
                 else {{ return ::core::option::Option::None; }} }},\n"
            )
        })
        .collect();
    format!(
        "pub fn {name}() -> impl ::core::iter::Iterator<Item = super::{batch}> {{\n\
         let reader = data::Reader::new({at});\n\
         ::core::iter::from_fn(move || {{ let batch = reader.next_batch(BATCH_ROWS)?;\n\
         let mut columns = batch.columns.into_iter();\n\
         ::core::option::Option::Some(super::{batch} {{ rows: batch.rows as usize, {fields} }}) \
         }})\n}}\n"
    )
}

/// Turns the rows of a table into cells.
pub(crate) fn cells(spec: &TableSpec) -> String {
    let cells: Vec<String> = spec
        .columns
        .iter()
        .map(|column| {
            let field = snake(&column.name);
            match column.role {
                TableRole::Key(_) => format!("Cell::Key(row.{field})"),
                TableRole::PatientCount | TableRole::Count => format!("count(row.{field})"),
                TableRole::Statistic => format!("number(row.{field})"),
            }
        })
        .collect();
    format!(
        ".into_iter().map(|row| ::std::vec![{}]).collect::<::std::vec::Vec<_>>()",
        cells.join(", ")
    )
}

fn emit(at: usize, output: &OutputSpec) -> String {
    let name = snake(&output.name);
    match &output.body {
        OutputBody::Table(spec) => {
            format!("emit::emit_table({at}, &outputs.{name}{});\n", cells(spec))
        }
        OutputBody::Histogram(spec) => {
            let keys: Vec<String> =
                spec.keys.iter().map(|k| format!("one.{}", snake(&k.name))).collect();
            format!(
                "emit::emit_histogram({at}, &outputs.{name}.into_iter().map(|one| Series {{ \
                 keys: ::std::vec![{}], patients: one.patients, below: one.below, \
                 above: one.above }}).collect::<::std::vec::Vec<_>>());\n",
                keys.join(", ")
            )
        }
        OutputBody::Survival(spec) => {
            let keys: Vec<String> =
                spec.keys.iter().map(|k| format!("one.{}", snake(&k.name))).collect();
            format!(
                "emit::emit_survival({at}, &outputs.{name}.into_iter().map(|one| emit::Curve {{ \
                 keys: ::std::vec![{}], moments: one.moments.iter().map(|moment| emit::Moment {{ \
                 time: moment.time, at_risk: moment.at_risk, events: moment.events, \
                 censored: moment.censored }}).collect() }}).collect::<::std::vec::Vec<_>>());\n",
                keys.join(", ")
            )
        }
        OutputBody::Coefficients(_) => format!(
            "emit::emit_coefficients({at}, &emit::Fit {{ patients: outputs.{name}.patients, \
             events: outputs.{name}.events, coefficients: outputs.{name}.coefficients.iter()\
             .map(|one| emit::Coefficient {{ term: one.term, estimate: one.estimate, \
             standard_error: one.standard_error }}).collect() }});\n"
        ),
        _ => format!("emit::emit_text({at}, &outputs.{name});\n"),
    }
}
