//! Types and glue of a per-patient analysis.

use sekisho_module::{
    Aggregate, AggregateKind, ColumnInput, ColumnKind, Manifest, OutputBody, TableInput,
};

use crate::names::{pascal, snake};
use crate::shared;

pub(crate) fn code(manifest: &Manifest) -> String {
    format!("{}{}{}", patient(manifest), outputs(manifest), glue(manifest))
}

/// `struct Patient` with the rows of every table.
pub(crate) fn patient(manifest: &Manifest) -> String {
    let rows: String = manifest.tables.iter().map(row).collect();
    let tables: String = manifest
        .tables
        .iter()
        .map(|t| {
            let doc = format!("Rows of table `{}`.", t.name);
            format!(
                "#[doc = {doc:?}] pub {}: ::std::vec::Vec<{}>,\n",
                snake(&t.name),
                pascal(&t.name)
            )
        })
        .collect();
    format!(
        "{rows}/// One patient's records.\n\
         #[derive(Clone, Debug, Default, PartialEq)] pub struct Patient {{ {tables} }}\n"
    )
}

fn row(table: &TableInput) -> String {
    let fields: String = table
        .columns
        .iter()
        .map(|column| {
            let doc = column_doc(column);
            let kind = rust_type(column.kind);
            let name = snake(&column.name);
            format!("#[doc = {doc:?}] pub {name}: ::core::option::Option<{kind}>,\n")
        })
        .collect();
    let doc = format!("One row of table `{}`.", table.name);
    format!(
        "#[doc = {doc:?}] #[derive(Clone, Copy, Debug, Default, PartialEq)] \
         pub struct {} {{ {fields} }}\n",
        pascal(&table.name)
    )
}

fn column_doc(column: &ColumnInput) -> String {
    match column.kind {
        ColumnKind::Code => {
            format!("Position in {:?}; none when the code is another one or missing.", column.codes)
        }
        ColumnKind::Date => "Days since 1970-01-01; none when missing.".to_owned(),
        _ => "None when missing.".to_owned(),
    }
}

fn rust_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Patient | ColumnKind::Code => "u32",
        ColumnKind::Int => "i64",
        ColumnKind::Float => "f64",
        ColumnKind::Date => "i32",
    }
}

/// `struct Outputs` with one method per declared output.
fn outputs(manifest: &Manifest) -> String {
    let methods: String = manifest
        .outputs
        .iter()
        .enumerate()
        .filter_map(|(at, output)| match &output.body {
            OutputBody::Aggregate(spec) => Some(method(at, &output.name, &output.title, spec)),
            _ => None,
        })
        .collect();
    contributions("Outputs", &methods)
}

/// The type that collects what a patient contributes, with a method for each place.
pub(crate) fn contributions(name: &str, methods: &str) -> String {
    format!(
        "/// What this patient contributes.\n\
         #[derive(Clone, Debug, Default, PartialEq)] pub struct {name} {{ \
         /// The contributions so far, in the order they were made.\n\
         pub contributions: ::std::vec::Vec<::sekisho_analysis::Contribution> }}\n\
         impl {name} {{ {methods} }}\n"
    )
}

fn method(at: usize, name: &str, title: &str, spec: &Aggregate) -> String {
    let keys: Vec<String> = spec.keys.iter().map(|k| snake(&k.name)).collect();
    let (arguments, values) = match &spec.kind {
        AggregateKind::Count | AggregateKind::Contingency => (Vec::new(), String::new()),
        AggregateKind::Sum { .. }
        | AggregateKind::Histogram { .. }
        | AggregateKind::Quantile { .. } => (vec!["value: f64".to_owned()], "value".to_owned()),
        AggregateKind::Survival { causes, .. } if !causes.is_empty() => (
            vec!["time: f64".to_owned(), "cause: ::core::option::Option<u32>".to_owned()],
            "time, cause.map_or(0.0, |cause| f64::from(cause) + 1.0)".to_owned(),
        ),
        AggregateKind::Survival { .. } => (
            vec!["time: f64".to_owned(), "event: bool".to_owned()],
            "time, f64::from(u8::from(event))".to_owned(),
        ),
    };
    let parameters: Vec<String> =
        keys.iter().map(|k| format!("{k}: u32")).chain(arguments).collect();
    let labels: String = spec
        .keys
        .iter()
        .map(|k| format!(" `{}` is a position in {:?}.", snake(&k.name), k.labels()))
        .collect();
    let causes = match &spec.kind {
        AggregateKind::Survival { causes, .. } if !causes.is_empty() => {
            format!(" `cause` is a position in {causes:?}; none when follow-up ended without one.")
        }
        _ => String::new(),
    };
    let doc = format!("{title}.{labels}{causes}");
    format!(
        "#[doc = {doc:?}] pub fn {}(&mut self, {}) {{ self.contributions.push(\
         ::sekisho_analysis::Contribution {{ output: {at}, keys: ::std::vec![{}], \
         values: ::std::vec![{values}] }}); }}\n",
        snake(name),
        parameters.join(", "),
        keys.join(", ")
    )
}

fn glue(manifest: &Manifest) -> String {
    format!(
        "const _: fn(&Patient, &Parameters, &mut Outputs) = contribute;\n{heap}\
         #[cfg(target_family = \"wasm\")] mod glue {{\n{bindings}\n{read}\
         struct Analysis;\n\
         impl Guest for Analysis {{ fn contribute(tables: ::std::vec::Vec<Table>, \
         given: ::std::vec::Vec<Parameter>) -> ::std::vec::Vec<Contribution> {{\n\
         let mut outputs = super::Outputs::default();\n\
         super::contribute(&patient(&tables), &parameters(&given), &mut outputs);\n\
         outputs.contributions.into_iter().map(contribution).collect() }} }}\n\
         export!(Analysis);\n}}\n",
        heap = HEAP,
        bindings = shared::bindings("per-patient"),
        read = read(manifest),
    )
}

/// The heap of a guest that lives for one call.
pub(crate) const HEAP: &str = "#[cfg(target_family = \"wasm\")] #[global_allocator] \
     static HEAP: ::sekisho_analysis::Bump = ::sekisho_analysis::Bump::new();\n";

/// Functions of the glue that read a patient and the parameters, and write a contribution.
pub(crate) fn read(manifest: &Manifest) -> String {
    let tables: String =
        manifest.tables.iter().enumerate().map(|(at, t)| read_table(at, t)).collect();
    format!(
        "use sekisho::analysis::types::{{ColumnData, Column}};\n\
         fn present(column: &Column, row: usize) -> bool {{ column.validity.is_empty() || \
         column.validity.get(row / 8).is_some_and(|b| b >> (row % 8) & 1 == 1) }}\n\
         fn patient(tables: &[Table]) -> super::Patient {{\n\
         #[allow(unused_mut)] let mut patient = super::Patient::default();\n{tables}\n\
         patient }}\n\
         #[allow(unused_variables)] fn parameters(given: &[Parameter]) -> super::Parameters {{\n\
         {parameters}\nparameters }}\n\
         fn contribution(one: ::sekisho_analysis::Contribution) -> Contribution {{ \
         Contribution {{ output: one.output, keys: one.keys, values: one.values }} }}\n",
        parameters = shared::read_parameters(manifest),
    )
}

fn read_table(at: usize, table: &TableInput) -> String {
    let (field, row) = (snake(&table.name), pascal(&table.name));
    let columns: String = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let name = snake(&column.name);
            let (case, keep) = match column.kind {
                ColumnKind::Patient => ("Patients", ""),
                ColumnKind::Code => ("Codes", " && *value != u32::MAX"),
                ColumnKind::Int => ("Ints", ""),
                ColumnKind::Float => ("Floats", ""),
                ColumnKind::Date => ("Dates", ""),
            };
            format!(
                "if let ::core::option::Option::Some(column) = table.columns.get({at}) {{ \
                 if let ColumnData::{case}(values) = &column.data {{ \
                 for (row, (value, to)) in values.iter().zip(&mut patient.{field}).enumerate() {{ \
                 if present(column, row){keep} {{ \
                 to.{name} = ::core::option::Option::Some(*value); }} }} }} }}\n"
            )
        })
        .collect();
    format!(
        "if let ::core::option::Option::Some(table) = tables.get({at}) {{\n\
         patient.{field} = ::std::vec![super::{row}::default(); table.rows as usize];\n\
         {columns} }}\n"
    )
}
