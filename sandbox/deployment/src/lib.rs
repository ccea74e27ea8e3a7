//! The deployment record of a zone: on whose machines its data lie, and what was shown of
//! them (CL-1, CL-2). A program whose record does not hold does not start.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Name of the record in a zone's folder.
pub const FILE: &str = "deployment.toml";

/// A record of a zone on the producer's own premises, with what a cloud would need.
pub const OWN_PREMISES: &str = r#"# Where this zone's data lie (CL-1, CL-2). Change it before you move them.
place = "own_premises"
# On a cloud service instead:
# place = "cloud"
# service = "Example Cloud, Tokyo"
# Medical information is there for the time of an ingest only.
# temporary = false
# Procedure A: the service's entry in the ISMAP cloud service list.
# [ismap]
# number = "C21-0000-2"
# valid_until = "2027-03-31"
# Procedure B: the assurance report that the competent ministries examined, beside this file.
# [assurance_report]
# file = "report.pdf"
# sha256 = "..."
# valid_until = "2027-03-31"
"#;

/// What a zone holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// 医療情報: persons are named. A cloud needs procedures A and B.
    MedicalInformation,
    /// 仮名加工医療情報, or results made of it. A cloud needs procedure A.
    PseudonymisedInformation,
}

/// A zone's deployment record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deployment {
    /// The producer's own machines.
    OwnPremises {},
    /// A cloud service.
    Cloud {
        /// Its name.
        service: String,
        /// Medical information is there for the time of an ingest only.
        #[serde(default)]
        temporary: bool,
        /// Procedure A.
        ismap: Option<Ismap>,
        /// Procedure B.
        assurance_report: Option<AssuranceReport>,
    },
}

/// Procedure A (手続きA): an entry in the ISMAP cloud service list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ismap {
    /// Number of the entry.
    pub number: String,
    /// Last day of its registration.
    pub valid_until: Date,
}

/// Procedure B (手続きB): an assurance report that the competent ministries examined.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssuranceReport {
    /// The report, beside the record.
    pub file: PathBuf,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// Last day on which it may be relied on.
    pub valid_until: Date,
}

/// Why a zone may not be run where its record says.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// There is no record, or it cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The record.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A cloud service without an entry in the ISMAP list.
    #[error("{0} has no entry in the ISMAP cloud service list (CL-1)")]
    ProcedureA(String),
    /// Medical information on a cloud service with an entry alone.
    #[error("medical information on {0} needs an examined assurance report, too (CL-2)")]
    ProcedureB(String),
    /// The report is not there, or another one.
    #[error("{0} is not the assurance report that the record names (CL-2)")]
    Report(PathBuf),
    /// The time of an entry or report is over.
    #[error("{what} was valid until {until} (CL-2)")]
    Expired {
        /// Entry or report.
        what: &'static str,
        /// Its last day.
        until: Date,
    },
}

impl DeploymentError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "deployment.unreadable",
            Self::ProcedureA(_) => "deployment.procedure_a",
            Self::ProcedureB(_) => "deployment.procedure_b",
            Self::Report(_) => "deployment.report",
            Self::Expired { .. } => "deployment.expired",
        }
    }
}

impl Deployment {
    /// Reads a zone's record and checks all of it.
    ///
    /// # Errors
    /// [`DeploymentError`]: the zone's program must not start.
    pub fn open(path: &Path, holds: Holds, today: Date) -> Result<Self, DeploymentError> {
        let record = Self::read(path, holds)?;
        record.check_valid(today)?;
        Ok(record)
    }

    /// Reads a zone's record and checks all of it but whether its time is over, for a program
    /// that raises an alarm then.
    ///
    /// # Errors
    /// [`DeploymentError`], other than [`DeploymentError::Expired`].
    pub fn read(path: &Path, holds: Holds) -> Result<Self, DeploymentError> {
        let unreadable =
            |reason: String| DeploymentError::Unreadable { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let record: Self = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let Self::Cloud { service, temporary, ismap, assurance_report } = &record else {
            return Ok(record);
        };
        if ismap.as_ref().is_none_or(|entry| entry.number.trim().is_empty()) {
            return Err(DeploymentError::ProcedureA(service.clone()));
        }
        match assurance_report {
            Some(report) => report.check(path)?,
            None if holds == Holds::MedicalInformation && !temporary => {
                return Err(DeploymentError::ProcedureB(service.clone()));
            }
            None => (),
        }
        Ok(record)
    }

    /// Checks that no entry or report is out of date, as a program does that goes on running.
    ///
    /// # Errors
    /// [`DeploymentError::Expired`].
    pub fn check_valid(&self, today: Date) -> Result<(), DeploymentError> {
        let Self::Cloud { ismap, assurance_report, .. } = self else { return Ok(()) };
        let entry = ismap.as_ref().map(|entry| ("the ISMAP entry", entry.valid_until));
        let report = assurance_report.as_ref();
        let report = report.map(|report| ("the assurance report", report.valid_until));
        match entry.into_iter().chain(report).find(|(_, until)| *until < today) {
            Some((what, until)) => Err(DeploymentError::Expired { what, until }),
            None => Ok(()),
        }
    }
}

impl AssuranceReport {
    fn check(&self, record: &Path) -> Result<(), DeploymentError> {
        let file = record.parent().unwrap_or(Path::new(".")).join(&self.file);
        match fs::read(&file) {
            Ok(report) if hex::encode(Sha256::digest(&report)) == self.sha256 => Ok(()),
            _ => Err(DeploymentError::Report(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Holds::{MedicalInformation, PseudonymisedInformation};
    use super::*;

    const CLOUD: &str = "place = \"cloud\"\nservice = \"Example Cloud\"\n";
    const ISMAP: &str = "[ismap]\nnumber = \"C21-0000-2\"\nvalid_until = \"2026-12-31\"\n";

    /// The code of the refusal on that day, or `ok`; the report is there.
    fn opened(record: &str, holds: Holds, today: Date) -> &'static str {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("report.pdf"), "examined").unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, record).unwrap();
        Deployment::open(&path, holds, today).map_or_else(|error| error.code(), |_| "ok")
    }

    fn report(content: &str, until: &str) -> String {
        let sha256 = hex::encode(Sha256::digest(content));
        let file = "[assurance_report]\nfile = \"report.pdf\"";
        format!("{file}\nsha256 = \"{sha256}\"\nvalid_until = \"{until}\"\n")
    }

    #[test]
    fn cl_1_identified_data_on_a_service_with_procedure_a_alone_are_refused() {
        let today = date(2026, 4, 1);
        let (a, short) = (format!("{CLOUD}{ISMAP}"), format!("{CLOUD}temporary = true\n{ISMAP}"));
        let both = format!("{a}{}", report("examined", "2026-12-31"));
        for (record, identified, pseudonymised) in [
            (OWN_PREMISES, "ok", "ok"),
            (CLOUD, "deployment.procedure_a", "deployment.procedure_a"),
            (&a, "deployment.procedure_b", "ok"),
            (&short, "ok", "ok"),
            (&both, "ok", "ok"),
            ("", "deployment.unreadable", "deployment.unreadable"),
            ("place = \"cloud\"", "deployment.unreadable", "deployment.unreadable"),
            ("place = \"moon\"", "deployment.unreadable", "deployment.unreadable"),
        ] {
            assert_eq!(opened(record, MedicalInformation, today), identified, "{record}");
            assert_eq!(opened(record, PseudonymisedInformation, today), pseudonymised, "{record}");
        }
    }

    #[test]
    fn cl_2_an_assurance_report_that_is_over_or_another_one_is_refused() {
        let record =
            |content: &str, until: &str| format!("{CLOUD}{ISMAP}{}", report(content, until));
        for (content, until, today, code) in [
            ("examined", "2026-06-30", date(2026, 6, 30), "ok"),
            ("examined", "2026-06-30", date(2026, 7, 1), "deployment.expired"),
            ("another", "2026-06-30", date(2026, 6, 30), "deployment.report"),
            ("examined", "2027-06-30", date(2027, 1, 1), "deployment.expired"),
        ] {
            assert_eq!(opened(&record(content, until), MedicalInformation, today), code);
        }
    }

    #[test]
    fn cl_1_a_record_that_is_missing_is_no_permission() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let error = Deployment::open(&path, PseudonymisedInformation, date(2026, 4, 1));
        assert_eq!(error.unwrap_err().code(), "deployment.unreadable");
    }
}
