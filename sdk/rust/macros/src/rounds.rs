//! Types and glue of an analysis in rounds.

use sekisho_module::{Manifest, OutputBody, OutputSpec, TotalKind, TotalSpec};

use crate::names::{pascal, snake};
use crate::{cohort, per_patient, shared};

pub(crate) fn code(manifest: &Manifest) -> String {
    let totals = || manifest.totals.iter().enumerate();
    let methods: String = totals().map(|(at, total)| method(at, total)).collect();
    let fields: String = totals().map(|(_, total)| field(total)).collect();
    let rows: String = manifest.outputs.iter().map(cohort::output_type).collect();
    let results: String = manifest.outputs.iter().map(result).collect();
    format!(
        "{patient}{contributions}{rows}\
         /// What the patients of one round add up to, made by the host.\n\
         #[derive(Clone, Debug, Default, PartialEq)] pub struct Totals {{ {fields} }}\n\
         /// The declared outputs.\n\
         #[derive(Clone, Debug, Default, PartialEq)] pub struct Results {{ {results} }}\n{glue}",
        patient = per_patient::patient(manifest),
        contributions = per_patient::contributions("Contributions", &methods),
        glue = glue(manifest),
    )
}

/// The method by which a patient contributes to a total.
fn method(at: usize, total: &TotalSpec) -> String {
    let keys: Vec<String> = total.keys.iter().map(|k| snake(&k.name)).collect();
    let labels: String = total
        .keys
        .iter()
        .map(|k| format!(" `{}` is a position in {:?}.", snake(&k.name), k.labels()))
        .collect();
    let takes = match total.kind {
        TotalKind::Vector { length } => format!("{length} components"),
        TotalKind::Cox { covariates, .. } => {
            format!("time, event, linear predictor and {covariates} covariates")
        }
    };
    let doc = format!("Contributes to `{}`: {takes}.{labels}", total.name);
    let parameters: String = keys.iter().map(|key| format!("{key}: u32, ")).collect();
    format!(
        "#[doc = {doc:?}] pub fn {}(&mut self, {parameters}values: ::std::vec::Vec<f64>) {{ \
         self.contributions.push(::sekisho_analysis::Contribution {{ output: {at}, \
         keys: ::std::vec![{}], values }}); }}\n",
        snake(&total.name),
        keys.join(", ")
    )
}

fn field(total: &TotalSpec) -> String {
    let kind = match (total.kind, total.keys.is_empty()) {
        (TotalKind::Cox { .. }, _) => "::sekisho_analysis::rounds::Likelihood",
        (TotalKind::Vector { .. }, true) => "::sekisho_analysis::rounds::Sums",
        (TotalKind::Vector { .. }, false) => "::std::vec::Vec<::sekisho_analysis::rounds::Sums>",
    };
    let doc = match total.kind {
        TotalKind::Vector { .. } if !total.keys.is_empty() => {
            format!("`{}`, cell by cell in row-major order of the keys.", total.name)
        }
        _ => format!("`{}`.", total.name),
    };
    format!("#[doc = {doc:?}] pub {}: {kind},\n", snake(&total.name))
}

fn result(output: &OutputSpec) -> String {
    let kind = match &output.body {
        OutputBody::Coefficients(_) => {
            "::std::vec::Vec<::sekisho_analysis::Coefficient>".to_owned()
        }
        OutputBody::Table(_) => format!("::std::vec::Vec<{}Row>", pascal(&output.name)),
        _ => "::std::string::String".to_owned(),
    };
    let doc = format!("{}.{}", output.title, cohort::positions(&output.body));
    format!("#[doc = {doc:?}] pub {}: {kind},\n", snake(&output.name))
}

fn glue(manifest: &Manifest) -> String {
    let totals: String = manifest.totals.iter().map(read_total).collect();
    let outcomes: String = manifest.outputs.iter().map(outcome).collect();
    format!(
        "const _: fn(&Patient, &Parameters, &[f64], &mut Contributions) = contribute;\n\
         const _: fn(&Parameters, u32, &[f64], &Totals) -> \
         ::sekisho_analysis::rounds::Step<Results> = reduce;\n{heap}\
         #[cfg(target_family = \"wasm\")] mod glue {{\n{bindings}\n{read}{cells}\
         use sekisho::analysis::types::{{Cell, Coefficient, Outcome}};\n\
         use ::sekisho_analysis::rounds::{{Likelihood, Sums, Step as Reduced}};\n\
         #[allow(dead_code)] fn vector(total: ::core::option::Option<Total>) \
         -> ::std::vec::Vec<Sums> {{ match total {{ \
         ::core::option::Option::Some(Total::Vector(cells)) => cells.into_iter()\
         .map(|one| Sums {{ patients: one.patients, sums: one.sums }}).collect(), \
         _ => ::std::vec::Vec::new() }} }}\n\
         #[allow(dead_code)] fn likelihood(total: ::core::option::Option<Total>) -> Likelihood {{ \
         match total {{ ::core::option::Option::Some(Total::Cox(one)) => Likelihood {{ \
         patients: one.patients, events: one.events, log_likelihood: one.log_likelihood, \
         score: one.score, information: one.information }}, _ => Likelihood::default() }} }}\n\
         #[allow(dead_code)] fn coefficients(terms: ::std::vec::Vec<::sekisho_analysis::Coefficient>) \
         -> Outcome {{ Outcome::Coefficients(terms.into_iter().map(|one| Coefficient {{ \
         term: one.term, estimate: one.estimate, standard_error: one.standard_error }})\
         .collect()) }}\n\
         struct Analysis;\n\
         impl Guest for Analysis {{\n\
         fn contribute(tables: ::std::vec::Vec<Table>, given: ::std::vec::Vec<Parameter>, \
         state: ::std::vec::Vec<f64>) -> ::std::vec::Vec<Contribution> {{\n\
         let mut made = super::Contributions::default();\n\
         super::contribute(&patient(&tables), &parameters(&given), &state, &mut made);\n\
         made.contributions.into_iter().map(contribution).collect() }}\n\
         fn reduce(given: ::std::vec::Vec<Parameter>, round: u32, \
         state: ::std::vec::Vec<f64>, totals: ::std::vec::Vec<Total>) -> Step {{\n\
         let mut totals = totals.into_iter();\n\
         let totals = super::Totals {{ {totals} }};\n\
         match super::reduce(&parameters(&given), round, &state, &totals) {{\n\
         Reduced::Next(state) => Step::Next(state),\n\
         Reduced::Done(results) => Step::Done(::std::vec![{outcomes}]) }} }} }}\n\
         export!(Analysis);\n}}\n",
        heap = per_patient::HEAP,
        bindings = shared::bindings("rounds"),
        read = per_patient::read(manifest),
        cells = cohort::CELLS,
    )
}

/// Reads one total, in declared order.
fn read_total(total: &TotalSpec) -> String {
    let name = snake(&total.name);
    match (total.kind, total.keys.is_empty()) {
        (TotalKind::Cox { .. }, _) => format!("{name}: likelihood(totals.next()),\n"),
        (TotalKind::Vector { .. }, true) => {
            format!("{name}: vector(totals.next()).into_iter().next().unwrap_or_default(),\n")
        }
        (TotalKind::Vector { .. }, false) => format!("{name}: vector(totals.next()),\n"),
    }
}

/// Gives one output, in declared order.
fn outcome(output: &OutputSpec) -> String {
    let name = snake(&output.name);
    match &output.body {
        OutputBody::Coefficients(_) => format!("coefficients(results.{name}),\n"),
        OutputBody::Table(spec) => {
            format!("Outcome::Table(results.{name}{}),\n", cohort::cells(spec))
        }
        _ => format!("Outcome::Text(results.{name}),\n"),
    }
}
