//! One run in the real runner and its jail, without a gateway.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use prost::Message as _;
use sekisho_demo::site::{Programs, repository};
use sekisho_proto::v1;
use sekisho_runner::{
    Cancel, Lowered, Outcome, RunData, RunSpec, RunnerCommand, Runners, output_context, supervise,
};
use sekisho_vault::{Key, Zeroizing};

use crate::report::seconds;
use crate::scale::{COLUMNS, TABLE};
use crate::sealed::Sealed;

const RUN: &str = "figures";

/// A built module.
pub(crate) struct Guest {
    /// Where its manifest is.
    pub(crate) manifest: PathBuf,
    /// Where its component is.
    pub(crate) component: PathBuf,
}

impl Guest {
    /// A module of `sandbox/guests`, built by `make guests`.
    pub(crate) fn named(name: &str) -> Self {
        let root = repository();
        Self {
            manifest: root.join("sandbox/guests").join(name).join("analysis.toml"),
            component: root.join("build/wasm").join(format!("{name}.wasm")),
        }
    }
}

/// A run that can be repeated.
pub(crate) struct Run {
    spec: RunSpec,
    runners: Runners,
    key: Key,
}

/// What one run gave.
pub(crate) struct Ran {
    /// From the start of the process to its last word and end.
    pub(crate) seconds: f64,
    pub(crate) outputs: Vec<v1::CheckedOutput>,
    pub(crate) usage: v1::RunUsage,
}

impl Run {
    /// A run of a module over all of a version, under the limits a gateway gives.
    pub(crate) fn new(guest: &Guest, sealed: &Sealed) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("{}; `make guests`", path.display()))
        };
        let granted = v1::GrantedTable {
            table: TABLE.to_owned(),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            row_filter: String::new(),
        };
        let limits = v1::RunLimits {
            memory_bytes: 1 << 30,
            wall_seconds: 900,
            output_bytes: 4 << 20,
            output_cells: 20_000,
            min_cell: 10,
            ..v1::RunLimits::default()
        };
        let key = Key::generate()?;
        let spec = RunSpec {
            ticket: v1::RunTicket {
                run_id: RUN.to_owned(),
                datasets: vec![v1::TicketDataset { tables: vec![granted], ..Default::default() }],
                limits: Some(limits),
                ..v1::RunTicket::default()
            },
            manifest: String::from_utf8(read(&guest.manifest)?)?,
            component: Zeroizing::new(read(&guest.component)?),
            bring_ins: Vec::new(),
            data: vec![RunData { folder: sealed.folder().to_owned(), keys: sealed.keys().clone() }],
            ingest: sealed.signer().clone(),
            output_key: key.clone(),
            order_key: key.clone(),
            dummy: false,
            receiver: None,
            lowered: Lowered::default(),
        };
        let gateway = Programs::beside_this()?.gateway;
        let runners =
            Runners::new(RunnerCommand::program(gateway.with_file_name("sekisho-runner")))?;
        Ok(Self { spec, runners, key })
    }

    /// Runs it once, from a new process to the opened outputs.
    pub(crate) fn once(&self) -> anyhow::Result<Ran> {
        let supervised = || Ok(supervise(&self.spec, &self.runners, &mut |_| {}, &Cancel::new()));
        let (seconds, outcome) = seconds(supervised)?;
        let success = match outcome {
            Outcome::Succeeded(success) => success,
            Outcome::Failed(failure) => bail!("the run failed: {} {:?}", failure.code, failure),
            Outcome::Cancelled => bail!("the run was cancelled"),
        };
        let mut outputs = Vec::new();
        for (index, output) in success.outputs.iter().enumerate() {
            let context = output_context(RUN, index, &output.name);
            let plain = sekisho_vault::open(&self.key, &context, &output.sealed)?;
            outputs.push(v1::CheckedOutput::decode(plain.as_slice())?);
        }
        Ok(Ran { seconds, outputs, usage: success.usage })
    }
}

/// The cells of an output that is a table.
pub(crate) fn cells(ran: &Ran) -> anyhow::Result<Vec<Vec<Option<v1::cell::Value>>>> {
    let output = ran.outputs.first().and_then(|checked| checked.output.clone());
    let Some(v1::output::Body::Table(table)) = output.and_then(|output| output.body) else {
        bail!("the output is no table");
    };
    let row = |row: v1::TableRow| row.cells.into_iter().map(|cell| cell.value).collect();
    Ok(table.rows.into_iter().map(row).collect())
}
