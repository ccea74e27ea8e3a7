//! `sekisho try`: a module over dummy data, here, in the runner the server uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sekisho_dataset::{Grant, Profile};
use sekisho_module::{Manifest, inspect};
use sekisho_proto::v1::{CheckedOutput, GrantedTable, RunLimits, RunUsage};
use sekisho_runner::{Cancel, Control, Developer, LocalReport, LocalRun, Lowered, run_locally};
use serde_json::json;

use crate::{
    analysis::AnalysisFiles,
    dummy,
    error::CliError,
    gateway::Desk,
    nouns::catalog,
    parameters,
    render::checked_output,
    screen::{fields, to_json},
};

/// Arguments of `sekisho try`.
#[derive(Debug, clap::Args)]
pub(crate) struct Trial {
    /// Folder with analysis.toml and one .wasm file, or the .toml file itself
    analysis: PathBuf,
    /// The component, when it is not beside analysis.toml
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Dataset whose profile shapes the dummy data
    #[arg(long, required_unless_present = "profile", default_value = "")]
    dataset: String,
    /// Profile file; without it the profile comes from the gateway
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// How many made-up patients
    #[arg(long, default_value_t = 500)]
    patients: u32,
    /// The same seed gives the same rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Parameter of the module, NAME=VALUE; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Minimum cell of the disclosure check, distinct patients
    #[arg(long, default_value_t = 10)]
    min_cell: u32,
    /// Do without a part of the jail that this machine cannot give: network, files or
    /// system-calls; may be repeated
    #[arg(long = "lower", value_name = "CONTROL", value_parser = control)]
    lowered: Vec<Control>,
}

impl Trial {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let files = AnalysisFiles::find(&self.analysis, self.component.as_deref())?;
        let manifest_text =
            fs::read_to_string(&files.manifest).map_err(CliError::file(&files.manifest))?;
        let manifest = Manifest::parse(&manifest_text)
            .map_err(|errors| CliError::Input(format!("{}: {errors}", files.manifest.display())))?;
        let component = fs::read(&files.component).map_err(CliError::file(&files.component))?;
        if let Err(refusal) = inspect(&component, manifest.world) {
            let path = files.component.display();
            return Err(CliError::Input(format!("{path}: {refusal}")));
        }
        let values = parameters::read(&manifest, &self.parameters)?;
        let profile = catalog::profile_text(desk, &self.dataset, self.profile.clone()).await?;
        let profile = dummy::parse_profile(&profile)?;
        let folder = tempfile::tempdir().map_err(CliError::file(std::env::temp_dir()))?;
        let mut run = self.prepare(&manifest, &profile, folder.path())?;
        run.component = component;
        run.manifest = manifest_text;
        run.parameters = parameters::to_proto(&values);
        let bar = desk.screen.bar(10, "running", "{spinner} {msg} {bar:30} {pos:>2}/10");
        let progress = bar.clone();
        // Blocks on a child process and its pipes: not the async threads' business.
        let report = tokio::task::spawn_blocking(move || {
            let mut tenths = |tenths: u32| progress.set_position(u64::from(tenths));
            run_locally(run, &mut tenths, &Cancel::new())
        })
        .await;
        bar.finish_and_clear();
        let report = report.map_err(|error| CliError::LocalRun(error.to_string()))?;
        let report = report.map_err(|error| CliError::LocalRun(error.to_string()))?;
        self.show(desk, report)
    }

    fn prepare(
        &self,
        manifest: &Manifest,
        profile: &Profile,
        root: &Path,
    ) -> Result<LocalRun, CliError> {
        let view = view(manifest, profile)?;
        let sealed = dummy::seal(profile, self.patients, self.seed, root)?;
        let grant = Grant {
            tables: view
                .iter()
                .map(|granted| {
                    let columns = granted.columns.iter().cloned().collect();
                    (granted.table.clone(), columns)
                })
                .collect(),
        };
        let keys = sealed
            .version
            .unwrap_granted(&sealed.vault, &grant)
            .map_err(|error| CliError::Input(error.to_string()))?;
        Ok(LocalRun {
            component: Vec::new(),
            manifest: String::new(),
            parameters: Vec::new(),
            view,
            limits: RunLimits { min_cell: self.min_cell, ..RunLimits::default() },
            dataset: sealed.version.folder().to_owned(),
            keys,
            ingest: sealed.signer,
            lowered: Lowered::new(self.lowered.iter().copied()),
        })
    }

    fn show(&self, desk: &Desk, report: LocalReport) -> Result<(), CliError> {
        match report {
            LocalReport::Succeeded { outputs, usage, developer } if desk.screen.json => {
                let outputs = outputs
                    .iter()
                    .map(|output| to_json("CheckedOutput", output))
                    .collect::<Result<Vec<_>, _>>()?;
                desk.screen.value(&json!({
                    "outputs": outputs,
                    "usage": to_json("RunUsage", &usage)?,
                    "failed_patients": developer.failed_patients,
                    "messages": developer.messages,
                }))
            }
            LocalReport::Succeeded { outputs, usage, developer } => {
                desk.screen.text(&self.describe(&outputs, &usage, &developer))
            }
            LocalReport::Failed(failure) => {
                let messages = failure.developer.map(|detail| detail.messages);
                let messages = messages.unwrap_or_default().join("\n  ");
                Err(CliError::LocalRun(format!("{}\n  {messages}", failure.code)))
            }
            LocalReport::Cancelled => Err(CliError::LocalRun("cancelled".to_owned())),
        }
    }

    fn describe(
        &self,
        outputs: &[CheckedOutput],
        usage: &RunUsage,
        developer: &Developer,
    ) -> String {
        let mut parts = vec![format!(
            "Dummy data: {} made-up patients, seed {}. No number below means anything.",
            self.patients, self.seed
        )];
        parts.extend(outputs.iter().map(checked_output));
        parts.push(fields(&[
            ("rows read", usage.rows_read.to_string()),
            ("milliseconds", usage.wall_millis.to_string()),
            ("peak memory", usage.peak_memory_bytes.to_string()),
            ("jail", usage.jail.clone()),
        ]));
        if developer.failed_patients > 0 {
            parts.push(format!(
                "the module failed for {} patients; their default contribution was taken",
                developer.failed_patients
            ));
        }
        parts.extend(developer.messages.iter().cloned());
        parts.join("\n\n")
    }
}

/// Everything the manifest asks for, without a row filter.
fn view(manifest: &Manifest, profile: &Profile) -> Result<Vec<GrantedTable>, CliError> {
    manifest
        .tables
        .iter()
        .map(|input| {
            let missing = |what: String| CliError::Input(format!("{} has no {what}", profile.id));
            let table = profile
                .table(&input.name)
                .ok_or_else(|| missing(format!("table {}", input.name)))?;
            let columns = input.columns.iter().map(|column| {
                table
                    .column(&column.name)
                    .map(|column| column.name.clone())
                    .ok_or_else(|| missing(format!("column {}.{}", input.name, column.name)))
            });
            Ok(GrantedTable {
                table: input.name.clone(),
                columns: columns.collect::<Result<_, _>>()?,
                row_filter: String::new(),
            })
        })
        .collect()
}

fn control(name: &str) -> Result<Control, String> {
    Control::from_name(name).ok_or_else(|| format!("{name} is not network, files or system-calls"))
}
