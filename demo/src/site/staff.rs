//! The shortcut of the tests: a running site with everybody on the roster and logged in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Ran, Site, SiteError, StageName, repository};

/// Ids that a story needs.
#[derive(Debug, Clone, Default)]
pub struct Staff {
    /// The producer's organisation.
    pub producer: String,
    /// University A.
    pub university: String,
    /// Person ids.
    pub people: BTreeMap<StageName, String>,
}

impl Staff {
    /// A person's id; empty for somebody who is not on the roster.
    #[must_use]
    pub fn id(&self, name: StageName) -> &str {
        self.people.get(&name).map(String::as_str).unwrap_or_default()
    }
}

impl Site {
    /// A site with gateway and worker running, the steward and everybody else enrolled and
    /// logged in, and the lung data set registered.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn staffed() -> Result<(Self, Staff), SiteError> {
        let mut site = Self::new(None)?;
        let invitation = text(&site.init_gateway()?.json()?, "invitation");
        site.start_gateway()?;
        site.enrol(StageName::Steward, &invitation)?;
        let staff = site.hire()?;
        site.init_worker()?;
        site.start_worker()?;
        let lung = site.seal_lung()?;
        site.register(&lung)?;
        Ok((site, staff))
    }

    /// The logged-in steward puts everybody on the roster, and they enrol.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn hire(&self) -> Result<Staff, SiteError> {
        let me = self.person(StageName::Steward).arg("whoami").json()?;
        let mut staff = Staff { producer: text(&me, "organisation_id"), ..Staff::default() };
        staff.people.insert(StageName::Steward, text(&me, "person_id"));
        let university = self
            .person(StageName::Steward)
            .args(["steward", "organisation", "add", "--name", "University A"])
            .args(["--kind", "user-org"])
            .json()?;
        staff.university = text(&university, "organisation_id");
        for name in StageName::ALL.into_iter().filter(|name| *name != StageName::Steward) {
            let added = self.roster_entry(name, &staff).json()?;
            let person = added.get("person").cloned().unwrap_or_default();
            staff.people.insert(name, text(&person, "person_id"));
            self.enrol(name, &text(&added, "invitation"))?;
        }
        Ok(staff)
    }

    /// The steward's command that puts a person on the roster.
    #[must_use]
    pub fn roster_entry(&self, name: StageName, staff: &Staff) -> super::Tool {
        let organisation = if name.at_university() { &staff.university } else { &staff.producer };
        self.person(StageName::Steward)
            .args(["steward", "person", "add", "--name", name.full_name()])
            .args(["--organisation", organisation, "--role", name.role()])
            .args(["--oidc-issuer", self.issuer_url(), "--oidc-subject", &self.subject(name)])
            .args(["--training-until", "2099-03-31T15:00:00Z"])
            .args(["--pledged-at", "2026-04-01T00:00:00Z"])
    }

    /// Seals the lung data set; a repetition makes the next version.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn seal_lung(&self) -> Result<Ran, SiteError> {
        let table = repository().join("tests/data/lung.csv");
        self.ingest_everybody("csv")
            .arg("--profile")
            .arg(repository().join("policies/profiles/lung.toml"))
            .arg("--table")
            .arg(format!("lung={}", table.display()))
            .arg("--json")
            .succeed()
    }

    /// Makes and seals the synthetic health record.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn seal_ehr(&self, patients: u32) -> Result<Ran, SiteError> {
        let patients = patients.to_string();
        self.ingest("generate-ehr").args(["--patients", &patients, "--json"]).succeed()
    }

    /// The steward registers what ingest sealed.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn register(&self, sealed: &Ran) -> Result<Ran, SiteError> {
        let entry = text(&sealed.json()?, "catalogue");
        self.person(StageName::Steward).args(["steward", "dataset", "register", &entry]).succeed()
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
