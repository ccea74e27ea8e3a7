//! `sekisho catalog`: what data there is, and dummy data of the same shape.

use std::path::PathBuf;

use clap::Subcommand;
use sekisho_proto::v1::{
    CodeFilter, CountPatientsRequest, Coverage, Dataset, DatasetColumn, DatasetTable,
    GetDatasetRequest, GetDatasetResponse, ListDatasetsRequest,
    catalogue_service_client::CatalogueServiceClient,
};

use crate::{
    dummy,
    error::CliError,
    gateway::Desk,
    nouns::linkage,
    pages::{PAGE, every_page},
    screen::{fields, instant, table},
};

/// The data catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// All dataset versions
    List,
    /// One dataset with its tables and columns
    Show {
        /// Dataset id
        dataset: String,
        /// Version; the newest when not given
        #[arg(long, default_value = "")]
        version: String,
        /// Also write the profile (TOML) here, for `sekisho try --profile`
        #[arg(long, value_name = "FILE")]
        profile_out: Option<PathBuf>,
    },
    /// About how many patients have some codes; answers are rounded, and 100 a day
    Count {
        /// Dataset id
        dataset: String,
        /// Version; the newest when not given
        #[arg(long, default_value = "")]
        version: String,
        /// Table to count in
        #[arg(long)]
        table: String,
        /// A column and its code; all must hold
        #[arg(long = "where", value_name = "COLUMN=CODE", value_parser = code_filter)]
        filters: Vec<CodeFilter>,
    },
    /// Which databases may be analysed together, and from when
    Linkage,
    /// Write dummy rows of the same shape as CSV, made from the profile alone
    Dummy {
        /// Dataset id
        dataset: String,
        /// How many made-up patients
        #[arg(long, default_value_t = 100)]
        patients: u32,
        /// The same seed gives the same rows
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Folder for one CSV file per table
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Profile file; without it the profile comes from the gateway
        #[arg(long, value_name = "FILE")]
        profile: Option<PathBuf>,
    },
}

impl CatalogCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        match self {
            Self::List => list(desk).await,
            Self::Show { dataset, version, profile_out } => {
                let answer = fetch(desk, &dataset, &version).await?;
                if let Some(path) = profile_out {
                    std::fs::write(&path, &answer.profile_toml).map_err(CliError::file(path))?;
                }
                let dataset = answer.dataset.ok_or(CliError::Contract("a dataset"))?;
                desk.screen.record("Dataset", &dataset, || describe(&dataset))
            }
            Self::Count { dataset, version, table, filters } => {
                let request = CountPatientsRequest { dataset_id: dataset, version, table, filters };
                count(desk, request).await
            }
            Self::Linkage => linkage::list(desk).await,
            Self::Dummy { dataset, patients, seed, out, profile } => {
                let text = profile_text(desk, &dataset, profile).await?;
                let written = dummy::write_csv(&text, patients, seed, &out)?;
                if desk.screen.json {
                    return desk.screen.value(&serde_json::json!(written));
                }
                let mut rows = table(&["file", "rows"], &[1]);
                for file in &written {
                    rows.add_row([file.path.display().to_string(), file.rows.to_string()]);
                }
                desk.screen.text(&rows.trim_fmt())
            }
        }
    }
}

fn code_filter(text: &str) -> Result<CodeFilter, String> {
    let (column, code) = text.split_once('=').ok_or("wanted COLUMN=CODE")?;
    Ok(CodeFilter { column: column.to_owned(), code: code.to_owned() })
}

async fn count(desk: &Desk, request: CountPatientsRequest) -> Result<(), CliError> {
    let mut client = CatalogueServiceClient::new(desk.connect_either().await?);
    let answer = client.count_patients(request).await?.into_inner();
    desk.screen.record("CountPatientsResponse", &answer, || {
        fields(&[
            ("patients", format!("about {}", answer.patients_rounded)),
            ("version", answer.version.clone()),
            ("left out", format!("combinations with fewer than {}", answer.min_cell.max(10))),
            ("questions left", format!("{} today", answer.questions_left)),
        ])
    })
}

/// The profile of a dataset: from a file, else from the gateway's catalogue.
pub(crate) async fn profile_text(
    desk: &Desk,
    dataset: &str,
    file: Option<PathBuf>,
) -> Result<String, CliError> {
    match file {
        Some(path) => std::fs::read_to_string(&path).map_err(CliError::file(path)),
        None => Ok(fetch(desk, dataset, "").await?.profile_toml),
    }
}

async fn fetch(desk: &Desk, dataset: &str, version: &str) -> Result<GetDatasetResponse, CliError> {
    let mut client = CatalogueServiceClient::new(desk.connect_either().await?);
    let request = GetDatasetRequest { dataset_id: dataset.to_owned(), version: version.to_owned() };
    Ok(client.get_dataset(request).await?.into_inner())
}

async fn list(desk: &Desk) -> Result<(), CliError> {
    let client = CatalogueServiceClient::new(desk.connect_either().await?);
    let datasets = every_page(|page_token| {
        let mut client = client.clone();
        async move {
            let request = ListDatasetsRequest { page_size: PAGE, page_token };
            let page = client.list_datasets(request).await?.into_inner();
            Ok((page.datasets, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("Dataset", &datasets, || {
        let mut rows = table(&["dataset", "version", "title", "tables", "patients"], &[3, 4]);
        for dataset in &datasets {
            rows.add_row([
                dataset.dataset_id.clone(),
                dataset.version.clone(),
                title(dataset),
                dataset.tables.len().to_string(),
                format!("about {}", dataset.patients_rounded),
            ]);
        }
        rows
    })
}

fn title(dataset: &Dataset) -> String {
    both(&dataset.title_en, &dataset.title_ja)
}

fn both(english: &str, japanese: &str) -> String {
    match (english, japanese) {
        (english, "") => english.to_owned(),
        ("", japanese) => japanese.to_owned(),
        (english, japanese) => format!("{english} ({japanese})"),
    }
}

pub(crate) fn describe(dataset: &Dataset) -> String {
    let mut text = fields(&[
        ("dataset", dataset.dataset_id.clone()),
        ("version", dataset.version.clone()),
        ("title", title(dataset)),
        ("about", dataset.description_en.clone()),
        ("", dataset.description_ja.clone()),
        ("patients", format!("about {}", dataset.patients_rounded)),
        ("holds", dataset.holds.clone()),
        ("database", dataset.database.clone()),
        ("licence", dataset.licence.clone()),
        ("terms", both(&dataset.terms_en, &dataset.terms_ja)),
        ("next version", next_version(dataset)),
        ("registered", instant(dataset.registered_at.as_ref())),
    ]);
    for part in &dataset.tables {
        let mut rows = table(&["column", "kind", "unit", "missing", "meaning"], &[3]);
        for column in &part.columns {
            rows.add_row([
                column.name.clone(),
                column.kind.clone(),
                column.unit.clone(),
                if column.nullable {
                    format!("{} %", column.missing_percent)
                } else {
                    String::new()
                },
                meaning(column),
            ]);
        }
        text.push_str(&format!(
            "\n\n{} — {} (about {} rows)\n{}",
            part.name,
            part.description_en,
            part.rows_rounded,
            rows.trim_fmt()
        ));
        if !part.coverage.is_empty() {
            text.push_str(&format!("\n{}", years(part, dataset.min_cell)));
        }
        if let Some(counts) = &part.quick_counts {
            text.push_str(&format!("\ncan be counted by: {}", counts.columns.join(", ")));
        }
    }
    text
}

/// One line of years; where a number is withheld, why.
fn years(part: &DatasetTable, min_cell: u32) -> String {
    let year = |coverage: &Coverage| match coverage.patients_rounded {
        Some(patients) => format!("{} {patients}", coverage.year),
        None => format!("{} *", coverage.year),
    };
    let shown: Vec<String> = part.coverage.iter().map(year).collect();
    let withheld = part.coverage.iter().any(|coverage| coverage.patients_rounded.is_none());
    let why = if withheld {
        format!("  (* fewer than {min_cell}, or would give such a number away)")
    } else {
        String::new()
    };
    format!("patients by year, about: {}{why}", shown.join(" · "))
}

fn meaning(column: &DatasetColumn) -> String {
    match column.code_system.as_str() {
        "" if column.token => format!("{} [differs in every project]", column.description_en),
        "" => column.description_en.clone(),
        system => format!("{} [{system}]", column.description_en),
    }
}

fn next_version(dataset: &Dataset) -> String {
    match (dataset.next_update.as_str(), dataset.overdue) {
        ("", _) => "not announced".to_owned(),
        (day, false) => day.to_owned(),
        (day, true) => format!("{day}, which is past: overdue"),
    }
}
