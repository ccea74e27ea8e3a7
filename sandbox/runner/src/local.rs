use prost::Message as _;
use sekisho_bring_in::Files;
use sekisho_jail::Lowered;
use sekisho_proto::v1;
use sekisho_vault::{Key, VerifyingIdentity, Zeroizing};

use crate::{
    Cancel, Developer, Failure, Outcome, RunData, RunSpec, RunnerCommand, RunnerError, Runners,
    Success, output_context, supervise,
};

/// A run on a developer's own machine, over a sealed version of dummy data.
#[derive(Debug)]
pub struct LocalRun {
    /// The module.
    pub component: Vec<u8>,
    /// Text of its `analysis.toml`.
    pub manifest: String,
    /// Values for declared parameters; the rest take their defaults.
    pub parameters: Vec<v1::Parameter>,
    /// Tables, columns and row filters to grant.
    pub view: Vec<v1::GrantedTable>,
    /// Tables in which the module looks codes up.
    pub bring_ins: Vec<Files>,
    /// Upper bounds; a zero means the default of the field.
    pub limits: v1::RunLimits,
    /// The sealed dummy versions.
    pub data: Vec<RunData>,
    /// Whoever signed them.
    pub ingest: VerifyingIdentity,
    /// Controls this machine cannot give; empty on a usual Linux host.
    pub lowered: Lowered,
}

/// What a local run gives.
#[derive(Debug)]
pub enum LocalReport {
    /// The outputs, opened, with evidence and findings as a reviewer would see them.
    Succeeded {
        /// One per declared output, in declared order.
        outputs: Vec<v1::CheckedOutput>,
        /// Full figures.
        usage: v1::RunUsage,
        /// Detail for the author.
        developer: Developer,
    },
    /// The run failed; `developer` says why in the module's own words.
    Failed(Failure),
    /// The run was cancelled.
    Cancelled,
}

/// The run's id where no gateway gives one.
const LOCAL_RUN: &str = "local";

/// Runs a module over dummy data in the same jailed process as the server uses, made from
/// this very program: see [`RunnerCommand::this_program`].
///
/// `progress` hears tenths from 1 to 10. Blocks until the run ends.
///
/// # Errors
/// [`RunnerError`] when an output cannot be sealed or opened. A run that fails is no error.
pub fn run_locally(
    run: LocalRun,
    progress: &mut dyn FnMut(u32),
    cancel: &Cancel,
) -> Result<LocalReport, RunnerError> {
    let key = Key::generate()?;
    let spec = RunSpec {
        ticket: v1::RunTicket {
            run_id: LOCAL_RUN.to_owned(),
            datasets: vec![v1::TicketDataset { tables: run.view, ..Default::default() }],
            parameters: run.parameters,
            limits: Some(run.limits),
            ..v1::RunTicket::default()
        },
        manifest: run.manifest,
        component: Zeroizing::new(run.component),
        bring_ins: run.bring_ins,
        data: run.data,
        ingest: run.ingest,
        output_key: key.clone(),
        // Always the same: there is no project to keep apart, and a run can be repeated.
        order_key: Key::danger_from_bytes(&[0; 32])?,
        dummy: true,
        receiver: None,
        lowered: run.lowered,
    };
    let runners = Runners::new(RunnerCommand::this_program())?;
    match supervise(&spec, &runners, progress, cancel) {
        Outcome::Succeeded(success) => opened(success, &key),
        Outcome::Failed(failure) => Ok(LocalReport::Failed(failure)),
        Outcome::Cancelled => Ok(LocalReport::Cancelled),
    }
}

fn opened(success: Success, key: &Key) -> Result<LocalReport, RunnerError> {
    let mut outputs = Vec::new();
    for (index, output) in success.outputs.iter().enumerate() {
        let context = output_context(LOCAL_RUN, index, &output.name);
        let plain = sekisho_vault::open(key, &context, &output.sealed)?;
        outputs.push(v1::CheckedOutput::decode(plain.as_slice())?);
    }
    Ok(LocalReport::Succeeded {
        outputs,
        usage: success.usage,
        developer: success.developer.unwrap_or_default(),
    })
}
