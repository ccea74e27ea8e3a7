//! `sekisho run`: ask for a run of an approved module, and follow it.

use std::time::Duration;

use clap::Subcommand;
use sekisho_module::Manifest;
use sekisho_proto::v1::{
    CancelRunRequest, FailureClass, GetRunRequest, ListRunsRequest, Run, RunState, StartRunRequest,
    WatchRunRequest, run_service_client::RunServiceClient,
};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    error::CliError,
    gateway::Desk,
    nouns::module,
    pages::{PAGE, every_page},
    parameters,
    screen::{fields, instant, plain, table, to_json},
};

/// How often a broken watch is taken up again before giving up.
const RECONNECTS: u32 = 20;
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Ask for a run
    Start {
        /// Project id
        #[arg(long)]
        project: String,
        /// Module id
        #[arg(long)]
        module: String,
        /// Parameter of the module, NAME=VALUE; may be repeated
        #[arg(long = "param", value_name = "NAME=VALUE")]
        parameters: Vec<String>,
        /// UUID of this request; repeating it returns the same run
        #[arg(long)]
        request_id: Option<Uuid>,
        /// Follow the run until it ends
        #[arg(long)]
        watch: bool,
    },
    /// A project's runs, newest first
    List {
        /// Project id
        #[arg(long)]
        project: String,
    },
    /// One run
    Show {
        /// Run id
        run: String,
    },
    /// Follow a run until it ends; exit code 0 only if it succeeded
    Watch {
        /// Run id
        run: String,
    },
    /// End a run that has not finished
    Cancel {
        /// Run id
        run: String,
    },
}

impl RunCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let mut client = RunServiceClient::new(desk.connect_session().await?);
        match self {
            Self::Start { project, module, parameters, request_id, watch } => {
                let request = start_request(desk, project, module, &parameters, request_id).await?;
                let answer = client.start_run(request).await?.into_inner();
                let run = answer.run.ok_or(CliError::Contract("a run"))?;
                if watch {
                    return follow(desk, client, run.run_id).await;
                }
                show(desk, &run)
            }
            Self::List { project } => list(desk, client, project).await,
            Self::Show { run } => {
                let request = GetRunRequest { run_id: run };
                let answer = client.get_run(request).await?.into_inner();
                show(desk, &answer.run.ok_or(CliError::Contract("a run"))?)
            }
            Self::Watch { run } => follow(desk, client, run).await,
            Self::Cancel { run } => {
                let request = CancelRunRequest { run_id: run };
                let answer = client.cancel_run(request).await?.into_inner();
                show(desk, &answer.run.ok_or(CliError::Contract("a run"))?)
            }
        }
    }
}

async fn start_request(
    desk: &Desk,
    project_id: String,
    module_id: String,
    typed: &[String],
    request_id: Option<Uuid>,
) -> Result<StartRunRequest, CliError> {
    let parameters = if typed.is_empty() {
        Vec::new()
    } else {
        let answer = module::fetch(desk, module_id.clone()).await?;
        let manifest = Manifest::parse(&answer.manifest)
            .map_err(|_| CliError::Contract("a valid analysis.toml"))?;
        parameters::to_proto(&parameters::read(&manifest, typed)?)
    };
    Ok(StartRunRequest {
        project_id,
        module_id,
        parameters,
        request_id: request_id.unwrap_or_else(Uuid::now_v7).to_string(),
    })
}

fn show(desk: &Desk, run: &Run) -> Result<(), CliError> {
    desk.screen.record("Run", run, || describe(run))
}

async fn list(
    desk: &Desk,
    client: RunServiceClient<Channel>,
    project: String,
) -> Result<(), CliError> {
    let runs = every_page(|page_token| {
        let mut client = client.clone();
        let project_id = project.clone();
        async move {
            let request = ListRunsRequest { project_id, page_size: PAGE, page_token };
            let page = client.list_runs(request).await?.into_inner();
            Ok((page.runs, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("Run", &runs, || {
        let mut rows = table(&["run", "state", "module", "asked", "outputs"], &[4]);
        for run in &runs {
            rows.add_row([
                run.run_id.clone(),
                state(run),
                run.module_id.clone(),
                instant(run.created_at.as_ref()),
                run.output_count.to_string(),
            ]);
        }
        rows
    })
}

/// Prints states as they come; with `--json` one run per line.
async fn follow(
    desk: &Desk,
    mut client: RunServiceClient<Channel>,
    run_id: String,
) -> Result<(), CliError> {
    let bar = desk.screen.bar(10, "run", "{spinner} {msg:12} {bar:30} {pos:>2}/10 {elapsed}");
    let mut last: Option<Run> = None;
    let mut broken = 0;
    while !last.as_ref().is_some_and(is_final) {
        match next_states(desk, &mut client, &run_id, &bar, &mut last).await {
            Ok(()) => {}
            Err(error) if broken < RECONNECTS && is_transient(&error) => {
                broken += 1;
                tokio::time::sleep(RECONNECT_PAUSE).await;
                if let Ok(channel) = desk.connect_session().await {
                    client = RunServiceClient::new(channel);
                }
            }
            Err(error) => {
                bar.finish_and_clear();
                return Err(error);
            }
        }
    }
    bar.finish_and_clear();
    let run = last.ok_or(CliError::Contract("a run"))?;
    if !desk.screen.json {
        desk.screen.text(&describe(&run))?;
    }
    match run.state() {
        RunState::Succeeded => Ok(()),
        _ => Err(CliError::RunEnded { run_id, state: state(&run) }),
    }
}

async fn next_states(
    desk: &Desk,
    client: &mut RunServiceClient<Channel>,
    run_id: &str,
    bar: &indicatif::ProgressBar,
    last: &mut Option<Run>,
) -> Result<(), CliError> {
    let request = WatchRunRequest { run_id: run_id.to_owned() };
    let mut stream = client.watch_run(request).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        let run = answer.run.ok_or(CliError::Contract("a run"))?;
        bar.set_message(plain_state(&run));
        bar.set_position(u64::from(run.progress_tenths));
        if desk.screen.json && last.as_ref() != Some(&run) {
            desk.screen.json_line(&to_json("Run", &run)?)?;
        }
        let ended = is_final(&run);
        *last = Some(run);
        if ended {
            return Ok(());
        }
    }
    Err(tonic::Status::unavailable("the watch ended before the run did").into())
}

fn is_transient(error: &CliError) -> bool {
    error.exit() == crate::exit::Exit::Unreachable
        || error.refusal().is_some_and(|refusal| {
            // A connection that breaks in the middle of a stream.
            refusal.request_id.is_none()
                && matches!(refusal.reason.as_str(), "UNKNOWN" | "CANCELLED" | "INTERNAL")
        })
}

fn is_final(run: &Run) -> bool {
    matches!(run.state(), RunState::Succeeded | RunState::Failed | RunState::Cancelled)
}

fn plain_state(run: &Run) -> String {
    plain(run.state().as_str_name(), "RUN_STATE_")
}

fn state(run: &Run) -> String {
    match run.failure_class() {
        FailureClass::Unspecified if !run.end_cause.is_empty() => {
            format!("{} ({})", plain_state(run), run.end_cause)
        }
        FailureClass::Unspecified => plain_state(run),
        class => {
            let class = plain(class.as_str_name(), "FAILURE_CLASS_");
            format!("{} ({class})", plain_state(run))
        }
    }
}

fn describe(run: &Run) -> String {
    fields(&[
        ("run", run.run_id.clone()),
        ("state", state(run)),
        ("project", run.project_id.clone()),
        ("module", run.module_id.clone()),
        ("dataset", datasets(run)),
        ("brought-in tables", brought_in(run)),
        ("progress", format!("{}/10", run.progress_tenths)),
        ("asked by", run.requested_by.clone()),
        ("asked at", instant(run.created_at.as_ref())),
        ("ended at", instant(run.ended_at.as_ref())),
        ("outputs", run.output_count.to_string()),
    ])
}

fn datasets(run: &Run) -> String {
    let mut names = vec![format!("{} {}", run.dataset_id, run.dataset_version)];
    names.extend(
        run.joined.iter().map(|joined| format!("{} {}", joined.dataset_id, joined.version)),
    );
    names.join(", ")
}

fn brought_in(run: &Run) -> String {
    let names: Vec<_> = run.bring_ins.iter().map(|table| table.table.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_run_says_its_class_and_nothing_more() {
        let run = Run {
            state: RunState::Failed.into(),
            failure_class: FailureClass::ModuleError.into(),
            ..Run::default()
        };
        assert_eq!(state(&run), "failed (module error)");
        assert!(is_final(&run));
    }

    #[test]
    fn refusals_do_not_count_as_broken_connections() {
        let refused = CliError::from(tonic::Status::permission_denied("no"));
        assert!(!is_transient(&refused));
        let broken = CliError::from(tonic::Status::unavailable("gone"));
        assert!(is_transient(&broken));
    }
}
