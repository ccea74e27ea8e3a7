//! A site with a gateway, a worker and a researcher who may run the trivial module: what
//! the figures of the desk zone are measured at.

use std::fs::File;

use anyhow::Context as _;
use sekisho_dataset::{Profile, source_schema};
use sekisho_demo::site::{AgreementFile, Site, StageName};
use tokio::runtime::Runtime;

use crate::report::seconds;
use crate::run::Guest;
use crate::scale::{self, Rows, TABLE};

/// Patients of the data set that the trivial module runs over; as many as `lung` has.
pub(crate) const PATIENTS: u64 = 228;

/// The site and what a client needs to ask for runs.
pub(crate) struct Desk {
    /// Ends its processes when dropped.
    pub(crate) site: Site,
    /// Runs the clients, on as many threads as there are processors.
    pub(crate) runtime: Runtime,
    /// The project of the agreement.
    pub(crate) project: String,
    /// Seconds that recording it took, by the command line.
    pub(crate) recorded: f64,
    /// The approved module.
    pub(crate) module: String,
}

impl Desk {
    /// Lays the site out and lets everybody do their part, with the real command line.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let mut site = Site::new(None)?;
        let invitation = site.init_gateway()?.json()?;
        let invitation = invitation.get("invitation").and_then(|text| text.as_str());
        site.start_gateway()?;
        site.enrol(StageName::Steward, invitation.context("an invitation")?)?;
        let staff = site.hire()?;
        site.init_worker()?;
        site.start_worker()?;
        seal(&site)?;
        let tables: [(&str, &[&str]); 1] = [(TABLE, &["site", "weight"])];
        let agreement = AgreementFile {
            // Not what is measured.
            runs_per_hour: 10_000,
            ..AgreementFile::new("Figures", "visits", &staff, &tables)
        };
        let (recorded, project) = seconds(|| Ok(site.record(&agreement)?.field("project")?))?;
        let guest = Guest::named("trivial");
        let submitted = site
            .person(StageName::Researcher)
            .args(["module", "submit"])
            .arg(&guest.manifest)
            .arg("--component")
            .arg(&guest.component)
            .args(["--project", &project])
            .succeed()?;
        let module = submitted.field("module")?;
        site.person(StageName::ModuleReviewer).args(["module", "approve", &module]).succeed()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { site, runtime, project, recorded, module })
    }
}

/// Ingest seals the visits from a CSV file, and the steward registers them.
fn seal(site: &Site) -> anyhow::Result<()> {
    let profile = Profile::parse(scale::PROFILE)?;
    let schema = source_schema(profile.table(TABLE).context("the table")?);
    let rows = scale::visits(schema, 0..PATIENTS, Rows::Exactly(1))?;
    let (toml, csv) = (site.root().join("visits.toml"), site.root().join("visits.csv"));
    std::fs::write(&toml, scale::PROFILE)?;
    arrow::csv::Writer::new(File::create(&csv)?).write(&rows)?;
    let sealed = site
        .ingest_everybody("csv")
        .arg("--profile")
        .arg(&toml)
        .arg("--table")
        .arg(format!("{TABLE}={}", csv.display()))
        .arg("--json")
        .succeed()?;
    site.register(&sealed)?;
    Ok(())
}
