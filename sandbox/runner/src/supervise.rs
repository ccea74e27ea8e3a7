use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sekisho_jail::Lowered;
use sekisho_proto::v1;
use sekisho_vault::Zeroizing;

use crate::conversation::{Broken, Conversation, Said};
use crate::frame::Kind;
use crate::process::{self, Heard, Runner};
use crate::spec::{COMPILE_WITHIN, COMPILER_MEMORY, MOST_CODE};
use crate::{Cancel, Developer, Failure, Outcome, RunSpec, RunnerCommand, Runners, Success, code};

/// A jail takes milliseconds; a host that needs longer is in trouble.
const CONFINE_WITHIN: Duration = Duration::from_secs(20);
/// The runner's program was exchanged for another; the run is given again, and compiled anew.
const COMPILED_ELSEWHERE: &str = "compiled_elsewhere";
/// How often cancellation is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Runs one job in one jailed process and waits for its end, however it comes. A module that has
/// not run lately is compiled first, in a jailed process of its own that gets nothing else.
///
/// `progress` hears tenths from 1 to 10, each once. Blocks the calling thread, which must
/// live as long as the run: the kernel kills the runner when the thread that started it ends.
pub fn supervise(
    spec: &RunSpec,
    runners: &Runners,
    progress: &mut dyn FnMut(u32),
    cancel: &Cancel,
) -> Outcome {
    let started = Instant::now();
    let mut jail = String::new();
    let ended = attend(spec, runners, &mut jail, progress, cancel);
    let passed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    // The runner's own claims about these two do not count.
    let complete = |usage: v1::RunUsage| v1::RunUsage {
        // Full seconds: one patient's failure takes some tens of milliseconds.
        wall_millis: if spec.dummy { passed } else { passed.div_ceil(1000) * 1000 },
        jail,
        ..usage
    };
    match ended {
        Ok(success) => Outcome::Succeeded(Success { usage: complete(success.usage), ..success }),
        Err(Stop::Failed(failure)) => {
            Outcome::Failed(Failure { usage: complete(failure.usage), ..*failure })
        }
        Err(Stop::Cancelled) => Outcome::Cancelled,
    }
}

/// Whether this host can confine a runner, tried for real; gives the jail's record. `folder`
/// is any folder the runner may read.
///
/// # Errors
/// The failure that every run would meet, with the host's reason in `developer`.
pub fn check_host(
    command: &RunnerCommand,
    folder: &Path,
    lowered: &Lowered,
) -> Result<String, Box<Failure>> {
    const SOME_MEMORY: u64 = 256 << 20;
    let confined = Runner::start(command, &[folder], SOME_MEMORY, lowered)
        .map_err(Stop::environment)
        .and_then(|runner| {
            Session::new(runner, Conversation::new(0, false)).confined(&Cancel::new())
        });
    match confined {
        Ok(jail) => Ok(jail),
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Cancelled) => {
            Err(failure(v1::FailureClass::Environment, "runner.cancelled").into())
        }
    }
}

/// Why a run gave no outputs.
enum Stop {
    Cancelled,
    Failed(Box<Failure>),
}

impl Stop {
    fn environment(code: &str) -> Self {
        Self::Failed(failure(v1::FailureClass::Environment, code).into())
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Failed(failure(v1::FailureClass::ContractViolation, broken.code()).into())
    }
}

fn failure(class: v1::FailureClass, code: &str) -> Failure {
    Failure { class, code: code.to_owned(), usage: v1::RunUsage::default(), developer: None }
}

/// The module's machine code, kept or made.
fn compiled(
    spec: &RunSpec,
    runners: &Runners,
    jail: &mut String,
    cancel: &Cancel,
) -> Result<Zeroizing<Vec<u8>>, Stop> {
    let of = code::of(spec);
    if let Some(code) = runners.code.get(&of) {
        return Ok(code);
    }
    let runner = Runner::start(&runners.command, &[], COMPILER_MEMORY, &spec.lowered)
        .map_err(Stop::environment)?;
    let mut session = Session::new(runner, Conversation::new(MOST_CODE, spec.dummy));
    *jail = session.confined(cancel)?;
    session.runner.send(Kind::Compile, process::compile_order(spec));
    let deadline = Instant::now() + COMPILE_WITHIN;
    let late = || failure(v1::FailureClass::LimitExceeded, "runner.compile_time");
    match session.next(deadline, cancel, late)? {
        Said::Compiled(code) => {
            session.runner.leave();
            runners.code.put(of, &code);
            Ok(Zeroizing::new(code))
        }
        Said::Failed(failure) => {
            session.runner.leave();
            Err(Stop::Failed(failure.into()))
        }
        _ => Err(Broken::OutOfTurn.into()),
    }
}

/// Listens until the runner has said its last word, and sees it off.
fn attend(
    spec: &RunSpec,
    runners: &Runners,
    jail: &mut String,
    progress: &mut dyn FnMut(u32),
    cancel: &Cancel,
) -> Result<Success, Stop> {
    let code = compiled(spec, runners, jail, cancel)?;
    let folders: Vec<_> = spec.data.iter().map(|data| data.folder.as_path()).collect();
    let runner = Runner::start(&runners.command, &folders, spec.data_bytes(), &spec.lowered)
        .map_err(Stop::environment)?;
    let conversation = Conversation::new(spec.sealed_bytes(), spec.dummy);
    let mut session = Session::new(runner, conversation);
    // Keys and code wait for the jail, and are not sent to a run that was cancelled meanwhile.
    *jail = session.confined(cancel)?;
    if cancel.is_cancelled() {
        return Err(Stop::Cancelled);
    }
    session.runner.send(Kind::Job, process::job(spec, &code));
    drop(code);
    let deadline = Instant::now() + spec.kill_after();
    let late = || failure(v1::FailureClass::LimitExceeded, "runner.wall_clock");
    let mut outputs = Vec::new();
    loop {
        match session.next(deadline, cancel, late)? {
            Said::Progress(tenths) => progress(tenths),
            Said::Output(output) => outputs.push(output),
            Said::Done { usage, developer } => {
                session.runner.leave();
                return Ok(Success { outputs, usage, developer });
            }
            Said::Failed(failure) => {
                session.runner.leave();
                if failure.code == COMPILED_ELSEWHERE {
                    runners.code.forget(&code::of(spec));
                }
                return Err(Stop::Failed(failure.into()));
            }
            Said::Compiled(_) | Said::Confined(_) | Said::Refused { .. } => {
                return Err(Broken::OutOfTurn.into());
            }
        }
    }
}

/// A runner and what it has said so far. Dropping it ends the process.
struct Session {
    runner: Runner,
    conversation: Conversation,
}

impl Session {
    fn new(runner: Runner, conversation: Conversation) -> Self {
        Self { runner, conversation }
    }

    /// Waits for the record of the jail.
    fn confined(&mut self, cancel: &Cancel) -> Result<String, Stop> {
        let deadline = Instant::now() + CONFINE_WITHIN;
        let late = || failure(v1::FailureClass::Environment, "runner.not_confined_in_time");
        match self.next(deadline, cancel, late)? {
            Said::Confined(jail) => Ok(jail),
            Said::Refused { code, reason } => Err(Stop::Failed(Box::new(Failure {
                // The host's own words about itself, before any data was opened.
                developer: Some(Developer { messages: vec![reason], ..Developer::default() }),
                ..failure(v1::FailureClass::Environment, &code)
            }))),
            _ => Err(Broken::OutOfTurn.into()),
        }
    }

    fn next(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        late: impl Fn() -> Failure,
    ) -> Result<Said, Stop> {
        loop {
            if let Some(said) = self.conversation.next()? {
                return Ok(said);
            }
            if cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            if Instant::now() >= deadline {
                return Err(Stop::Failed(late().into()));
            }
            let heard = self.runner.read(TICK);
            match heard.map_err(|_| Stop::environment("runner.pipe"))? {
                Heard::Nothing => {}
                Heard::Bytes(bytes) => self.conversation.push(bytes),
                Heard::End => return Err(Stop::Failed(self.died().into())),
            }
        }
    }

    /// Why the pipe closed before the last word.
    fn died(&mut self) -> Failure {
        const SIGABRT: i32 = 6;
        const SIGSYS: i32 = 31;
        match self.runner.end().and_then(|status| status.signal()) {
            // Only code that is not ours asks for a call that ours never makes.
            Some(SIGSYS) => {
                failure(v1::FailureClass::ContractViolation, "runner.refused_system_call")
            }
            // How a Rust program ends that is given no more memory.
            Some(SIGABRT) => failure(v1::FailureClass::LimitExceeded, "runner.out_of_memory"),
            Some(_) => failure(v1::FailureClass::Environment, "runner.killed"),
            None => failure(v1::FailureClass::Environment, "runner.gone"),
        }
    }
}
