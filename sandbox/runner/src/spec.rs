use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use sekisho_bring_in::Files;
use sekisho_dataset::GrantedKeys;
use sekisho_jail::Lowered;
use sekisho_proto::v1;
use sekisho_vault::{Key, ReceivingPublic, VerifyingIdentity, Zeroizing};

/// The hidden subcommand under which a program becomes its own runner.
pub const RUNNER_SUBCOMMAND: &str = "__runner";

/// Everything one run needs; the caller has checked the ticket and unwrapped the keys.
#[derive(Debug)]
pub struct RunSpec {
    /// What the run may do: view, parameters, limits.
    pub ticket: v1::RunTicket,
    /// Text of the module's `analysis.toml`.
    pub manifest: String,
    /// The module in the clear.
    pub component: Zeroizing<Vec<u8>>,
    /// Tables brought into the project in which the module looks codes up.
    pub bring_ins: Vec<Files>,
    /// The data set versions whose rows meet by person; mostly one.
    pub data: Vec<RunData>,
    /// Whoever signed the versions' manifests.
    pub ingest: VerifyingIdentity,
    /// Seals the run's outputs.
    pub output_key: Key,
    /// Puts the patients in an order of the project's own.
    pub order_key: Key,
    /// Whom the tokens of a trace are sealed for; a trace needs it, a run does not.
    pub receiver: Option<ReceivingPublic>,
    /// The data is dummy data, so the developer may see messages.
    pub dummy: bool,
    /// Controls the site does without.
    pub lowered: Lowered,
}

/// One sealed data set version as a run may read it.
#[derive(Clone, Debug)]
pub struct RunData {
    /// Its folder.
    pub folder: PathBuf,
    /// Keys of exactly the granted columns.
    pub keys: GrantedKeys,
}

/// Memory of the runner itself beside what the run's limit allows: compiled code, decoded
/// pages, the engine's tables.
const OWN_MEMORY: u64 = 768 << 20;
/// Memory of a compiler: some thirty times the largest module.
pub(crate) const COMPILER_MEMORY: u64 = 1 << 30;
/// Most bytes of machine code: eight times the largest module. A runner holds them twice while
/// it reads its job.
pub(crate) const MOST_CODE: usize = 256 << 20;
/// A module of the largest size takes some seconds; one that takes longer is made to.
pub(crate) const COMPILE_WITHIN: Duration = Duration::from_secs(60);
/// Most bytes that one of a brought-in table becomes: a row of empty fields, in lists that grow
/// by doubling.
const BROUGHT_IN: u64 = 64;
/// The run's memory when the ticket names none.
const DEFAULT_MEMORY: u64 = 1 << 30;
/// Wall-clock seconds when the ticket names none.
const DEFAULT_WALL: u64 = 15 * 60;
/// The engine stops itself at the limit and reports; only one that hangs meets the kill.
const WALL_GRACE: Duration = Duration::from_secs(3);
/// Output bytes when the ticket names none, and the most that is ever held in memory.
const DEFAULT_OUTPUT: u64 = 4 << 20;
const MOST_OUTPUT: u64 = 256 << 20;

impl RunSpec {
    pub(crate) fn data_bytes(&self) -> u64 {
        let brought_in: u64 = self.bring_ins.iter().map(|files| files.bytes() as u64).sum();
        or(self.limits().memory_bytes, DEFAULT_MEMORY)
            .saturating_add(OWN_MEMORY)
            .saturating_add(brought_in.saturating_mul(BROUGHT_IN))
    }

    pub(crate) fn kill_after(&self) -> Duration {
        // A year is as good as never and cannot overflow the clock.
        let seconds = or(self.limits().wall_seconds, DEFAULT_WALL).min(365 * 86_400);
        Duration::from_secs(seconds) + WALL_GRACE
    }

    /// Sealed bytes of all outputs together: the limit once more for findings and evidence.
    pub(crate) fn sealed_bytes(&self) -> usize {
        let most = or(self.limits().output_bytes, DEFAULT_OUTPUT).min(MOST_OUTPUT);
        usize::try_from(most.saturating_mul(2)).unwrap_or(usize::MAX) + (1 << 20)
    }

    fn limits(&self) -> v1::RunLimits {
        self.ticket.limits.unwrap_or_default()
    }
}

fn or(given: u64, default: u64) -> u64 {
    if given == 0 { default } else { given }
}

/// The program that becomes the runner.
#[derive(Clone, Debug)]
pub struct RunnerCommand {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl RunnerCommand {
    /// A program of its own, such as `sekisho-runner`.
    #[must_use]
    pub fn program(path: impl Into<PathBuf>) -> Self {
        Self { program: path.into(), arguments: Vec::new() }
    }

    /// This very program, started again with [`RUNNER_SUBCOMMAND`] as its only argument. Its
    /// `main` must hand over to [`runner_main`](crate::runner_main) before it starts a thread.
    #[must_use]
    pub fn this_program() -> Self {
        // The link names the running file even after an upgrade put another in its place.
        Self::program("/proc/self/exe").argument(RUNNER_SUBCOMMAND)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}
