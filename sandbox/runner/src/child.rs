use std::io::{self, Stdin, Stdout};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use prost::Message as _;
use sekisho_bring_in::Files;
use sekisho_dataset::GrantedKeys;
use sekisho_engine::{Compiled, ProgressSink, RunFailure, RunReport, TracedCell};
use sekisho_jail::{Confinement, Control, Lowered};
use sekisho_proto::v1;
use sekisho_vault::{Key, ReceivingPublic, VerifyingIdentity};

use crate::data::SealedSource;
use crate::frame::{self, Kind};
use crate::message;
use crate::sealing::seal_output;
use crate::trace;

/// The path of a folder and a few names.
const MOST_CONFINE: usize = 16 * 1024;
/// A module, its manifest and keys; the sender is trusted, this only stops nonsense.
const MOST_JOB: usize = 512 << 20;

/// The whole life of a runner: confine, read the job, run it, answer, end. With a module in
/// place of a job it is a compiler.
///
/// Must be the first thing a program does: it closes inherited descriptors and refuses to run
/// with more than one thread. It speaks on standard input and output and nowhere else.
pub fn runner_main() -> ExitCode {
    // A panic's text could quote data; whoever waits learns of it by a failure class.
    std::panic::set_hook(Box::new(|_| {}));
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // The supervisor is gone or talks nonsense: nobody is left to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin(), io::stdout());
    if sekisho_jail::shed_inherited().is_err() {
        return Err(io::Error::last_os_error());
    }
    let Some(folders) = confine(&mut input, &mut output)? else {
        return Ok(());
    };
    let (kind, bytes) = frame::read(&mut input, MOST_JOB)?;
    if kind == Kind::Compile {
        return compile(&bytes, &mut output);
    }
    let order = Order::read(kind, &bytes);
    // The bytes hold keys: wiped before any module code runs.
    drop(bytes);
    sekisho_jail::keys_are_read();
    let answer = match order {
        Ok(order) => {
            std::panic::catch_unwind(AssertUnwindSafe(|| order.carry_out(&folders, &mut output)))
                .unwrap_or_else(|_| Err(environment("runner.panic")))
        }
        Err(code) => Err(environment(code)),
    };
    match answer {
        Ok(done) => frame::write(&mut output, Kind::Done, &done.encode_to_vec()),
        Err(failed) => frame::write(&mut output, Kind::Failed, &failed.encode_to_vec()),
    }
}

/// Answers with the machine code of a module.
fn compile(bytes: &[u8], output: &mut Stdout) -> io::Result<()> {
    sekisho_jail::keys_are_read();
    let compiled = std::panic::catch_unwind(|| {
        let order =
            message::Compile::decode(bytes).map_err(|_| environment("runner.unreadable_job"))?;
        let order = sekisho_engine::CompileOrder {
            component: order.component,
            manifest: order.manifest,
            limits: order.limits.unwrap_or_default(),
            dummy: order.dummy,
        };
        sekisho_engine::compile(&order).map_err(failed)
    });
    match compiled.unwrap_or_else(|_| Err(environment("runner.panic"))) {
        Ok(code) => frame::write(output, Kind::Compiled, code.bytes()),
        Err(failed) => frame::write(output, Kind::Failed, &failed.encode_to_vec()),
    }
}

/// Enters the jail and says so; `None` when the host cannot give it, which was said too.
fn confine(input: &mut Stdin, output: &mut Stdout) -> io::Result<Option<Vec<PathBuf>>> {
    let (kind, bytes) = frame::read(input, MOST_CONFINE)?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no confinement");
    if kind != Kind::Confine {
        return Err(wrong());
    }
    let confine = message::Confine::decode(bytes.as_slice()).map_err(|_| wrong())?;
    let lowered = confine.lowered.iter();
    let confinement = Confinement {
        readable: confine.datasets.into_iter().map(PathBuf::from).collect(),
        data_bytes: confine.data_bytes,
        lowered: Lowered::new(lowered.filter_map(|name| Control::from_name(name))),
        supervisor: Some(confine.supervisor),
    };
    match confinement.enter() {
        Ok(record) => {
            let confined = message::Confined { jail: record.to_string() };
            frame::write(output, Kind::Confined, &confined.encode_to_vec())?;
            Ok(Some(confinement.readable))
        }
        Err(error) => {
            let refused =
                message::Refused { code: error.code().to_owned(), reason: error.to_string() };
            frame::write(output, Kind::Refused, &refused.encode_to_vec())?;
            Ok(None)
        }
    }
}

/// A job with its keys in types that wipe themselves.
struct Order {
    ticket: v1::RunTicket,
    manifest: String,
    code: Vec<u8>,
    bring_ins: Vec<Files>,
    keys: Vec<GrantedKeys>,
    output_key: Key,
    order_key: Key,
    ingest: VerifyingIdentity,
    receiver: Option<ReceivingPublic>,
    dummy: bool,
}

impl Order {
    fn read(kind: Kind, bytes: &[u8]) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "runner.unreadable_job";
        if kind != Kind::Job {
            return Err(UNREADABLE);
        }
        let mut job = message::Job::decode(bytes).map_err(|_| UNREADABLE)?;
        let keys = job.granted_keys.iter().map(|keys| GrantedKeys::from_pipe(keys));
        let keys = keys.collect::<Result<_, _>>();
        let output_key = Key::danger_from_bytes(&job.output_key);
        let order_key = Key::danger_from_bytes(&job.order_key);
        job.wipe();
        Ok(Self {
            ticket: job.ticket.ok_or(UNREADABLE)?,
            manifest: job.manifest,
            code: job.code,
            bring_ins: job.bring_ins.into_iter().map(Into::into).collect(),
            keys: keys.map_err(|_| UNREADABLE)?,
            output_key: output_key.map_err(|_| UNREADABLE)?,
            order_key: order_key.map_err(|_| UNREADABLE)?,
            ingest: VerifyingIdentity::from_hex(&job.ingest_key).map_err(|_| UNREADABLE)?,
            receiver: ReceivingPublic::parse(&job.receiver),
            dummy: job.dummy,
        })
    }

    fn carry_out(
        self,
        folders: &[PathBuf],
        output: &mut Stdout,
    ) -> Result<message::Done, Box<message::Failed>> {
        let source = SealedSource::open(folders, &self.ingest, &self.keys)
            .map_err(|error| environment(error.code()))?;
        // The opened tables hold what they need of them.
        drop(self.keys);
        let trace = self.ticket.trace;
        let job = sekisho_engine::Job {
            // The supervisor has it from a compiler, and keeps it sealed.
            module: Compiled::danger_from_bytes(self.code),
            manifest: self.manifest,
            parameters: self.ticket.parameters,
            view: self.ticket.datasets.into_iter().flat_map(|dataset| dataset.tables).collect(),
            bring_ins: self.bring_ins,
            data: Arc::new(source),
            limits: self.ticket.limits.unwrap_or_default(),
            order_key: self.order_key,
            dummy: self.dummy,
        };
        if let Some(trace) = trace {
            return traced(job, &trace, self.receiver.as_ref(), output);
        }
        let report = sekisho_engine::run(job, &mut Teller { output, told: 0 }).map_err(failed)?;
        send(&report, &self.output_key, &self.ticket.run_id, output)?;
        Ok(message::Done { usage: Some(report.usage), developer: report.developer.map(Into::into) })
    }
}

/// Does a run again and tells who stands behind one cell, to the receiver alone.
fn traced(
    job: sekisho_engine::Job,
    wanted: &v1::Trace,
    receiver: Option<&ReceivingPublic>,
    output: &mut Stdout,
) -> Result<message::Done, Box<message::Failed>> {
    let receiver = receiver.ok_or_else(|| environment("trace.no_receiver"))?;
    let cell = TracedCell { output: wanted.output.clone(), key: wanted.key.clone() };
    let (report, tokens) =
        sekisho_engine::trace(job, &cell, &mut Teller { output, told: 0 }).map_err(failed)?;
    if !trace::is_as_released(&report.outputs, wanted) {
        return Err(Box::new(message::Failed {
            class: v1::FailureClass::ContractViolation.into(),
            code: "trace.other_output".to_owned(),
            ..message::Failed::default()
        }));
    }
    let sealed =
        trace::seal_tokens(receiver, wanted, &tokens).map_err(|error| environment(error.code()))?;
    frame::write(output, Kind::Output, &sealed.encode_to_vec())
        .map_err(|_| environment("runner.pipe"))?;
    // How many there are is the identified zone's to know.
    Ok(message::Done { usage: Some(report.usage), developer: None })
}

fn send(
    report: &RunReport,
    key: &Key,
    run_id: &str,
    to: &mut Stdout,
) -> Result<(), Box<message::Failed>> {
    for (index, checked) in report.outputs.iter().enumerate() {
        let sealed =
            seal_output(key, run_id, index, checked).map_err(|error| environment(error.code()))?;
        frame::write(to, Kind::Output, &sealed.encode_to_vec())
            .map_err(|_| environment("runner.pipe"))?;
    }
    Ok(())
}

/// Tells each tenth once.
struct Teller<'a> {
    output: &'a mut Stdout,
    told: u32,
}

impl ProgressSink for Teller<'_> {
    fn tenths(&mut self, tenths: u32) {
        let tenths = tenths.min(10);
        if tenths <= self.told {
            return;
        }
        self.told = tenths;
        let progress = message::Progress { tenths };
        // A lost supervisor kills this process anyway.
        let _ = frame::write(self.output, Kind::Progress, &progress.encode_to_vec());
    }
}

fn failed(failure: RunFailure) -> Box<message::Failed> {
    Box::new(message::Failed {
        class: failure.class.into(),
        code: failure.code.to_owned(),
        usage: Some(failure.usage),
        developer: failure.developer.map(Into::into),
    })
}

fn environment(code: &str) -> Box<message::Failed> {
    Box::new(message::Failed {
        class: v1::FailureClass::Environment.into(),
        code: code.to_owned(),
        ..message::Failed::default()
    })
}
