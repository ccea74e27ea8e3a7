//! A data source in memory, guests from `build/wasm`, and jobs made of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, UInt32Array, UInt64Array};
use arrow::record_batch::RecordBatch;
use sekisho_bring_in::Files;
use sekisho_engine::{
    Batches, CompileOrder, ProgressSink, RunFailure, RunReport, Source, SourceColumn, SourceError,
    TracedCell, compile,
};
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_vault::Key;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A built guest and its manifest, from `sandbox/guests` or `sdk/examples`.
pub(crate) fn guest(name: &str) -> (Vec<u8>, String) {
    let wasm = root().join("build/wasm").join(format!("{name}.wasm"));
    let component = std::fs::read(&wasm)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make guests` first", wasm.display()));
    let folders = ["sandbox/guests", "sdk/examples"];
    let manifest = folders.iter().find_map(|folder| {
        std::fs::read_to_string(root().join(folder).join(name).join("analysis.toml")).ok()
    });
    (component, manifest.unwrap())
}

/// Tables in memory, split and sorted as a sealed version is.
#[derive(Default)]
pub(crate) struct Memory {
    buckets: u32,
    tables: BTreeMap<String, MemoryTable>,
}

struct MemoryTable {
    columns: Vec<(SourceColumn, ArrayRef)>,
    tokens: Vec<u64>,
    dictionaries: BTreeMap<String, Vec<String>>,
}

impl Memory {
    pub(crate) fn new(buckets: u32) -> Self {
        Self { buckets, tables: BTreeMap::new() }
    }

    /// Adds a table whose rows are sorted by token.
    pub(crate) fn table(
        mut self,
        name: &str,
        tokens: &[u64],
        columns: Vec<(&str, ColumnKind, ArrayRef)>,
        dictionaries: &[(&str, &[&str])],
    ) -> Self {
        let columns = columns
            .into_iter()
            .map(|(name, kind, array)| {
                (SourceColumn { name: name.to_owned(), kind, token: false }, array)
            })
            .collect();
        let dictionaries = dictionaries
            .iter()
            .map(|(column, codes)| {
                ((*column).to_owned(), codes.iter().map(ToString::to_string).collect())
            })
            .collect();
        let tokens = tokens.to_vec();
        self.tables.insert(name.to_owned(), MemoryTable { columns, tokens, dictionaries });
        self
    }

    /// Says that a column's codes stand for identifiers.
    pub(crate) fn tokens(mut self, table: &str, name: &str) -> Self {
        let table = self.tables.get_mut(table).unwrap();
        table.columns.iter_mut().find(|(column, _)| column.name == name).unwrap().0.token = true;
        self
    }

    fn get(&self, table: &str) -> Result<&MemoryTable, SourceError> {
        self.tables.get(table).ok_or_else(|| SourceError::NotGranted(table.to_owned()))
    }
}

impl Source for Memory {
    fn buckets(&self) -> u32 {
        self.buckets
    }

    fn columns(&self, table: &str) -> Option<Vec<SourceColumn>> {
        Some(self.tables.get(table)?.columns.iter().map(|(c, _)| c.clone()).collect())
    }

    fn rows(&self, table: &str) -> Result<u64, SourceError> {
        Ok(self.get(table)?.tokens.len() as u64)
    }

    fn dictionary(&self, table: &str, column: &str) -> Result<Vec<String>, SourceError> {
        Ok(self.get(table)?.dictionaries[column].clone())
    }

    fn scan(&self, table: &str, bucket: u32, columns: &[String]) -> Result<Batches, SourceError> {
        let table = self.get(table)?;
        let of = |token: &u64| ((u128::from(*token) * u128::from(self.buckets)) >> 64) as u32;
        let start = table.tokens.partition_point(|t| of(t) < bucket);
        let end = table.tokens.partition_point(|t| of(t) <= bucket);
        let tokens: ArrayRef = Arc::new(UInt64Array::from(table.tokens.clone()));
        let mut arrays = vec![("patient", tokens, false)];
        for name in columns {
            let found = table.columns.iter().find(|(c, _)| c.name == *name);
            let (_, array) = found.ok_or_else(|| SourceError::NotGranted(name.clone()))?;
            arrays.push((name, Arc::clone(array), true));
        }
        let all = RecordBatch::try_from_iter_with_nullable(arrays).unwrap();
        // Short batches, so that a patient's rows straddle them.
        let batches = (start..end).step_by(7).map(move |at| Ok(all.slice(at, 7.min(end - at))));
        Ok(Box::new(batches))
    }
}

/// `patients` patients with 1 to 4 visits each; every third patient belongs to the west. The
/// weight of each fifth visit is missing.
pub(crate) fn visits(patients: u64) -> Memory {
    let (mut tokens, mut sites, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for patient in 0..patients {
        for visit in 0..1 + patient % 4 {
            tokens.push(patient * (u64::MAX / patients));
            sites.push(if patient % 3 == 2 { 1 } else { 0 });
            let weight = 40.0 + (patient * 7 + visit * 3) as f64 % 60.0;
            weights.push(((patient + visit) % 5 != 4).then_some(weight));
        }
    }
    let columns: Vec<(&str, ColumnKind, ArrayRef)> = vec![
        ("site", ColumnKind::Code, Arc::new(UInt32Array::from(sites))),
        ("weight", ColumnKind::Float, Arc::new(Float64Array::from(weights))),
    ];
    Memory::new(4).table("visits", &tokens, columns, &[("site", &["east", "west"])])
}

pub(crate) fn grant(table: &str, columns: &[&str]) -> v1::GrantedTable {
    v1::GrantedTable {
        table: table.to_owned(),
        columns: columns.iter().map(ToString::to_string).collect(),
        row_filter: String::new(),
    }
}

pub(crate) fn parameter(name: &str, value: v1::parameter::Value) -> v1::Parameter {
    v1::Parameter { name: name.to_owned(), value: Some(value) }
}

pub(crate) fn order_key() -> Key {
    Key::danger_from_bytes(&[7; 32]).unwrap()
}

/// A job whose module is still to be compiled.
pub(crate) struct Job {
    pub(crate) component: Vec<u8>,
    pub(crate) manifest: String,
    pub(crate) parameters: Vec<v1::Parameter>,
    pub(crate) view: Vec<v1::GrantedTable>,
    pub(crate) bring_ins: Vec<Files>,
    pub(crate) data: Arc<dyn Source>,
    pub(crate) limits: v1::RunLimits,
    pub(crate) order_key: Key,
    pub(crate) dummy: bool,
}

impl Job {
    #[allow(clippy::result_large_err, reason = "as the engine's own")]
    pub(crate) fn compiled(self) -> Result<sekisho_engine::Job, RunFailure> {
        let Self { component, manifest, limits, dummy, .. } = self;
        let order = CompileOrder { component, manifest, limits, dummy };
        Ok(sekisho_engine::Job {
            module: compile(&order)?,
            manifest: order.manifest,
            parameters: self.parameters,
            view: self.view,
            bring_ins: self.bring_ins,
            data: self.data,
            limits,
            order_key: self.order_key,
            dummy,
        })
    }
}

/// Compiles and runs.
#[allow(clippy::result_large_err, reason = "as the engine's own")]
pub(crate) fn run(job: Job, progress: &mut dyn ProgressSink) -> Result<RunReport, RunFailure> {
    sekisho_engine::run(job.compiled()?, progress)
}

/// Compiles and traces.
#[allow(clippy::result_large_err, reason = "as the engine's own")]
pub(crate) fn trace(job: Job, cell: &TracedCell) -> Result<(RunReport, Vec<u64>), RunFailure> {
    sekisho_engine::trace(job.compiled()?, cell, &mut ())
}

/// A job of a built guest over 300 patients' visits.
pub(crate) fn job(name: &str) -> Job {
    let (component, manifest) = guest(name);
    Job {
        component,
        manifest,
        parameters: Vec::new(),
        view: vec![grant("visits", &["site", "weight"])],
        bring_ins: Vec::new(),
        data: Arc::new(visits(300)),
        limits: v1::RunLimits { wall_seconds: 60, min_cell: 10, ..v1::RunLimits::default() },
        order_key: order_key(),
        dummy: false,
    }
}

pub(crate) fn report(job: Job) -> RunReport {
    let dummy_detail = |f: &RunFailure| f.developer.as_ref().map(|d| d.messages.clone());
    run(job, &mut ()).unwrap_or_else(|f| panic!("{f}: {:?}", dummy_detail(&f)))
}

pub(crate) fn failure(job: Job) -> RunFailure {
    run(job, &mut ()).map(|_| ()).unwrap_err()
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Vec<u32>);

impl ProgressSink for Heard {
    fn tenths(&mut self, tenths: u32) {
        self.0.push(tenths);
    }
}

pub(crate) fn table(output: &v1::CheckedOutput) -> Vec<Vec<v1::cell::Value>> {
    let Some(v1::output::Body::Table(table)) = output.output.as_ref().and_then(|o| o.body.as_ref())
    else {
        panic!("not a table");
    };
    let cells = |row: &v1::TableRow| row.cells.iter().filter_map(|c| c.value.clone()).collect();
    table.rows.iter().map(cells).collect()
}

pub(crate) fn evidence(output: &v1::CheckedOutput) -> &v1::Evidence {
    output.evidence.as_ref().unwrap()
}
