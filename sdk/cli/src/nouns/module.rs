//! `sekisho module`: bring an analysis program in, and decide on one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sekisho_proto::v1::{
    DecideModuleRequest, GetModuleRequest, GetModuleResponse, ListModulesRequest, Module,
    ModuleReport, SubmitModuleHeader, SubmitModuleRequest, SubmitModuleResponse,
    module_service_client::ModuleServiceClient, submit_module_request::Part,
};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;

use crate::{
    analysis::AnalysisFiles,
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    screen::{fields, instant, plain, table},
};

const CHUNK: usize = 64 * 1024;

/// Analysis programs.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Upload a module with its analysis.toml for review
    Submit {
        /// Folder with analysis.toml and one .wasm file, or the .toml file itself
        analysis: PathBuf,
        /// The component, when it is not beside analysis.toml
        #[arg(long, value_name = "FILE")]
        component: Option<PathBuf>,
        /// Project the module is for
        #[arg(long)]
        project: String,
        /// Name of the module; the folder's or file's name when not given
        #[arg(long)]
        name: Option<String>,
    },
    /// A project's modules, or those that wait for your review
    List {
        /// Project id
        #[arg(long, default_value = "")]
        project: String,
    },
    /// One module: hash, imports, size, static findings
    Show {
        /// Module id
        module: String,
        /// Also print analysis.toml
        #[arg(long)]
        manifest: bool,
    },
    /// Approve a module under review
    Approve(Decision),
    /// Refuse a module under review
    Refuse(Decision),
}

/// A module reviewer's decision.
#[derive(Debug, clap::Args)]
pub(crate) struct Decision {
    /// Module id
    module: String,
    /// Why; kept with the decision
    #[arg(long, default_value = "")]
    comment: String,
}

impl ModuleCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        match self {
            Self::Submit { analysis, component, project, name } => {
                submit(desk, &analysis, component.as_deref(), project, name).await
            }
            Self::List { project } => list(desk, &project).await,
            Self::Show { module, manifest } => show(desk, module, manifest).await,
            Self::Approve(decision) => decide(desk, decision, true).await,
            Self::Refuse(decision) => decide(desk, decision, false).await,
        }
    }
}

async fn submit(
    desk: &Desk,
    analysis: &Path,
    component: Option<&Path>,
    project_id: String,
    name: Option<String>,
) -> Result<(), CliError> {
    let files = AnalysisFiles::find(analysis, component)?;
    let bytes = fs::read(&files.component).map_err(CliError::file(&files.component))?;
    let manifest = fs::read_to_string(&files.manifest).map_err(CliError::file(&files.manifest))?;
    let header = SubmitModuleHeader {
        project_id,
        name: name.unwrap_or_else(|| files.name.clone()),
        manifest,
        sha256: Sha256::digest(&bytes).to_vec(),
    };
    let mut client = ModuleServiceClient::new(desk.connect_session().await?);
    let bar =
        desk.screen.bar(bytes.len() as u64, "uploading", "{msg} {bar:30} {bytes}/{total_bytes}");
    let progress = bar.clone();
    let chunks: Vec<Vec<u8>> = bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect();
    let parts = tokio_stream::iter(chunks).map(move |chunk| {
        progress.inc(chunk.len() as u64);
        Part::Chunk(chunk)
    });
    let parts = tokio_stream::once(Part::Header(header)).chain(parts);
    let requests = parts.map(|part| SubmitModuleRequest { part: Some(part) });
    let answer = client.submit_module(requests).await;
    bar.finish_and_clear();
    let answer = answer?.into_inner();
    desk.screen.record("SubmitModuleResponse", &answer, || {
        let SubmitModuleResponse { module, report } = &answer;
        describe(module.as_ref(), report.as_ref())
    })
}

async fn list(desk: &Desk, project: &str) -> Result<(), CliError> {
    let client = ModuleServiceClient::new(desk.connect_session().await?);
    let modules = every_page(|page_token| {
        let mut client = client.clone();
        let project_id = project.to_owned();
        async move {
            let request = ListModulesRequest { project_id, page_size: PAGE, page_token };
            let page = client.list_modules(request).await?.into_inner();
            Ok((page.modules, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("Module", &modules, || {
        let mut rows = table(&["module", "name", "world", "state", "bytes"], &[4]);
        for module in &modules {
            rows.add_row([
                module.module_id.clone(),
                module.name.clone(),
                plain(module.world().as_str_name(), "WORLD_"),
                plain(module.state().as_str_name(), "MODULE_STATE_"),
                module.size_bytes.to_string(),
            ]);
        }
        rows
    })
}

/// One module with its report and manifest.
pub(crate) async fn fetch(desk: &Desk, module_id: String) -> Result<GetModuleResponse, CliError> {
    let mut client = ModuleServiceClient::new(desk.connect_session().await?);
    let answer = client.get_module(GetModuleRequest { module_id }).await?;
    Ok(answer.into_inner())
}

async fn show(desk: &Desk, module_id: String, manifest: bool) -> Result<(), CliError> {
    let answer = fetch(desk, module_id).await?;
    desk.screen.record("GetModuleResponse", &answer, || {
        let mut text = describe(answer.module.as_ref(), answer.report.as_ref());
        if manifest {
            text.push_str("\n\nanalysis.toml\n");
            text.push_str(&answer.manifest);
        }
        text
    })
}

async fn decide(desk: &Desk, decision: Decision, approve: bool) -> Result<(), CliError> {
    let mut client = ModuleServiceClient::new(desk.connect_session().await?);
    let answer = client
        .decide_module(DecideModuleRequest {
            module_id: decision.module,
            approve,
            comment: decision.comment,
        })
        .await?
        .into_inner();
    let module = answer.module.ok_or(CliError::Contract("a module"))?;
    desk.screen.record("Module", &module, || describe(Some(&module), None))
}

fn describe(module: Option<&Module>, report: Option<&ModuleReport>) -> String {
    let mut text = module.map(module_fields).unwrap_or_default();
    let Some(report) = report else { return text };
    text.push('\n');
    text.push_str(&fields(&[
        ("imports", report.imports.join(", ")),
        ("exports", report.exports.join(", ")),
        ("functions", report.functions.to_string()),
        ("data bytes", report.data_bytes.to_string()),
        ("memory bytes", report.initial_memory_bytes.to_string()),
    ]));
    for finding in &report.findings {
        text.push_str(&format!("\nfinding  {}: {}", finding.code, finding.message));
    }
    if report.findings.is_empty() {
        text.push_str("\nno static findings");
    }
    text
}

fn module_fields(module: &Module) -> String {
    fields(&[
        ("module", module.module_id.clone()),
        ("name", module.name.clone()),
        ("project", module.project_id.clone()),
        ("world", plain(module.world().as_str_name(), "WORLD_")),
        ("state", plain(module.state().as_str_name(), "MODULE_STATE_")),
        ("sha256", module.sha256.clone()),
        ("manifest sha256", module.manifest_sha256.clone()),
        ("bytes", module.size_bytes.to_string()),
        ("submitted by", module.submitted_by.clone()),
        ("submitted at", instant(module.submitted_at.as_ref())),
        ("decided by", module.decided_by.clone()),
        ("comment", module.decision_comment.clone()),
    ])
}
