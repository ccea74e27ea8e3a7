//! `sekisho try`: a module over dummy data, here, in the runner the server uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sekisho_bring_in::Files;
use sekisho_dataset::{Grant, Profile};
use sekisho_module::{Manifest, inspect};
use sekisho_proto::v1::{CheckedOutput, GrantedTable, RunLimits, RunUsage};
use sekisho_runner::{
    Cancel, Control, Developer, LocalReport, LocalRun, Lowered, RunData, run_locally,
};
use serde_json::json;

use crate::{
    analysis::AnalysisFiles,
    bring_in, dummy,
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
    /// Dataset whose profile shapes the dummy data; several for a joined view
    #[arg(long = "dataset", required_unless_present = "profiles")]
    datasets: Vec<String>,
    /// Profile file, instead of a dataset of the gateway; several for a joined view
    #[arg(long = "profile", value_name = "FILE")]
    profiles: Vec<PathBuf>,
    /// How many made-up patients
    #[arg(long, default_value_t = 500)]
    patients: u32,
    /// The same seed gives the same rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Parameter of the module, NAME=VALUE; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Table in which the module looks codes up: its description, with the .csv file of the
    /// same name beside it or after a colon; may be repeated
    #[arg(long = "bring-in", value_name = "TABLE.toml[:TABLE.csv]")]
    bring_ins: Vec<String>,
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
        let bring_ins = self.bring_ins(&manifest)?;
        let profiles = self.profiles(desk).await?;
        let folder = tempfile::tempdir().map_err(CliError::file(std::env::temp_dir()))?;
        let mut run = self.prepare(&manifest, &profiles, folder.path())?;
        run.component = component;
        run.manifest = manifest_text;
        run.parameters = parameters::to_proto(&values);
        run.bring_ins = bring_ins;
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

    /// The tables that the manifest names, each of which must be given.
    fn bring_ins(&self, manifest: &Manifest) -> Result<Vec<Files>, CliError> {
        let mut missing = manifest.bring_ins();
        let mut given = Vec::new();
        for argument in &self.bring_ins {
            let (files, table) = bring_in::read(argument)?;
            if missing.remove(table.description().table.as_str()) {
                given.push(files);
            } else {
                let name = &table.description().table;
                let text = format!("{argument}: the module names no table {name}, or it is twice");
                return Err(CliError::Input(text));
            }
        }
        match missing.first() {
            None => Ok(given),
            Some(name) => {
                let text = format!("the module looks codes up in {name}: give it with --bring-in");
                Err(CliError::Input(text))
            }
        }
    }

    async fn profiles(&self, desk: &Desk) -> Result<Vec<Profile>, CliError> {
        let mut texts = Vec::new();
        for path in &self.profiles {
            texts.push(fs::read_to_string(path).map_err(CliError::file(path))?);
        }
        for dataset in &self.datasets {
            texts.push(catalog::profile_text(desk, dataset, None).await?);
        }
        texts.iter().map(|text| dummy::parse_profile(text)).collect()
    }

    fn prepare(
        &self,
        manifest: &Manifest,
        profiles: &[Profile],
        root: &Path,
    ) -> Result<LocalRun, CliError> {
        let view = view(manifest, profiles)?;
        let sealed = dummy::seal(profiles, self.patients, self.seed, root)?;
        let mut data = Vec::new();
        for version in &sealed.versions {
            let of_this =
                |granted: &&GrantedTable| version.profile().table(&granted.table).is_some();
            let tables = view.iter().filter(of_this).map(|granted| {
                let columns = granted.columns.iter().cloned().collect();
                (granted.table.clone(), columns)
            });
            let keys = version
                .unwrap_granted(&sealed.vault, &Grant { tables: tables.collect() })
                .map_err(|error| CliError::Input(error.to_string()))?;
            data.push(RunData { folder: version.folder().to_owned(), keys });
        }
        Ok(LocalRun {
            component: Vec::new(),
            manifest: String::new(),
            parameters: Vec::new(),
            view,
            bring_ins: Vec::new(),
            limits: RunLimits { min_cell: self.min_cell, ..RunLimits::default() },
            data,
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
fn view(manifest: &Manifest, profiles: &[Profile]) -> Result<Vec<GrantedTable>, CliError> {
    manifest
        .tables
        .iter()
        .map(|input| {
            let missing = |what: String| CliError::Input(format!("the data has no {what}"));
            let mut found = profiles.iter().filter_map(|profile| profile.table(&input.name));
            let table = found.next().ok_or_else(|| missing(format!("table {}", input.name)))?;
            if found.next().is_some() {
                return Err(CliError::Input(format!("two tables are called {}", input.name)));
            }
            let columns = input.read().into_iter().map(|column| {
                table
                    .column(column)
                    .map(|column| column.name.clone())
                    .ok_or_else(|| missing(format!("column {}.{column}", input.name)))
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
