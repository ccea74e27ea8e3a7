//! The commands, and how one of them is run.

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    error::CliError,
    exit::{EXIT_HELP, Exit},
    gateway::Desk,
    nouns::{
        alert::{AlertCommand, SessionCommand},
        audit::AuditCommand,
        bring_in::BringInCommand,
        catalog::CatalogCommand,
        login::Login,
        module::ModuleCommand,
        output::OutputCommand,
        project::ProjectCommand,
        reidentification::ReidentificationCommand,
        release::ReleaseCommand,
        review::ReviewCommand,
        run::RunCommand,
        steward::StewardCommand,
        trial::Trial,
        whoami,
    },
    profile::Profile,
    screen::Screen,
};

/// Analyses travel to the data; only reviewed results leave.
#[derive(Debug, Parser)]
#[command(name = "sekisho", version, after_help = EXIT_HELP)]
struct Cli {
    /// JSON instead of tables; field names are those of the proto files
    #[arg(long, global = true)]
    json: bool,
    /// No progress bars and no remarks
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Folder of the gateway's address and your session
    #[arg(long, global = true, env = "SEKISHO_HOME", value_name = "DIR")]
    profile_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in with two factors; with --invitation, enrol an authenticator first
    Login(Login),
    /// End your session
    Logout,
    /// Who you are logged in as, and until when
    Whoami,
    /// What data there is
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Your projects and their agreements
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Analysis programs: submit, list, show, decide
    #[command(subcommand)]
    Module(ModuleCommand),
    /// Tables of a project's own: check, submit, list, show, decide, withdraw
    #[command(subcommand)]
    BringIn(BringInCommand),
    /// Run a module here, on dummy data, in the runner the server uses
    Try(Box<Trial>),
    /// Runs: start, list, show, watch, cancel
    #[command(subcommand)]
    Run(RunCommand),
    /// Outputs and requests for their release
    #[command(subcommand)]
    Output(OutputCommand),
    /// The output check
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Released bundles
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// The log: checkpoint, export, verify, prove, witness
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Anomalies
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Sessions of others
    #[command(subcommand)]
    Session(SessionCommand),
    /// Organisations, roster, datasets, agreements, workers
    #[command(subcommand)]
    Steward(StewardCommand),
    /// Orders of re-identification, for stewards
    #[command(subcommand, hide = true)]
    Reidentification(ReidentificationCommand),
    /// Print a completion script
    Completion {
        /// For which shell
        shell: Shell,
    },
}

/// Parses the arguments, runs the command, reports its error, says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == RUNNER) {
        return sekisho_runner::runner_main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            // Nothing is left to do when the terminal is gone.
            let _ = error.print();
            return if usage { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let screen = Screen { json: cli.json, quiet: cli.quiet };
    match run(cli, screen) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            screen.error(&error);
            error.exit().into()
        }
    }
}

/// First argument with which `sekisho try` starts itself as the jailed runner.
pub(crate) const RUNNER: &str = sekisho_runner::RUNNER_SUBCOMMAND;

fn run(cli: Cli, screen: Screen) -> Result<(), CliError> {
    if let Command::Completion { shell } = cli.command {
        // Into memory first: the generator panics when its reader hangs up.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "sekisho", &mut script);
        return screen.text(String::from_utf8_lossy(&script).trim_end());
    }
    let desk = Desk { profile: Profile::locate(cli.profile_dir)?, screen };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::file("async runtime"))?;
    let result = runtime.block_on(dispatch(cli.command, &desk));
    // A stream that is still open must not keep the command from ending.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, desk: &Desk) -> Result<(), CliError> {
    match command {
        Command::Login(login) => login.run(desk).await,
        Command::Logout => whoami::logout(desk).await,
        Command::Whoami => whoami::run(desk).await,
        Command::Catalog(command) => command.run(desk).await,
        Command::Project(command) => command.run(desk).await,
        Command::Module(command) => command.run(desk).await,
        Command::BringIn(command) => command.run(desk).await,
        Command::Try(trial) => trial.run(desk).await,
        Command::Run(command) => command.run(desk).await,
        Command::Output(command) => command.run(desk).await,
        Command::Review(command) => command.run(desk).await,
        Command::Release(command) => command.run(desk).await,
        Command::Audit(command) => command.run(desk).await,
        Command::Alert(command) => command.run(desk).await,
        Command::Session(command) => command.run(desk).await,
        Command::Steward(command) => command.run(desk).await,
        Command::Reidentification(command) => command.run(desk).await,
        Command::Completion { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_is_accepted_after_every_noun() {
        for line in [
            "sekisho whoami --json",
            "sekisho catalog list --json",
            "sekisho run start --project p --module m --param a=1 --json",
            "sekisho review vote r approve --json",
            "sekisho steward person list --json",
            "sekisho audit verify --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert!(cli.json, "{line}");
        }
    }

    #[test]
    fn a_label_needs_an_invitation() {
        let line = "sekisho login --label key";
        assert!(Cli::try_parse_from(line.split(' ')).is_err());
    }
}
