mod element;
mod reference;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sekisho_dataset::TableSpec;
use serde_json::Value;

use super::{Digest, HashedReader, Rows, io_error};
use crate::IngestError;
use crate::process::FieldError;
use element::Element;
use element::Place::{Coding, Concept, Plain};

/// Longest line, in bytes: a resource of the kinds below has a few thousand. Nesting is
/// limited to 128 levels by the parser.
const MAX_LINE: usize = 1024 * 1024;

/// How resources of FHIR R4, as JP Core uses them, become rows. Repeated elements are told
/// by their first repetition, codings by their system.
const RESOURCES: &[(&str, &[Element])] = &[
    (
        "Patient",
        &[
            ("id", &[Plain("/id")]),
            ("birthDate", &[Plain("/birthDate")]),
            ("gender", &[Plain("/gender")]),
            ("address", &[Plain("/address/0/text"), Plain("/address/0/state")]),
            ("name", &[Plain("/name/0/text"), Plain("/name/0/family")]),
            ("telecom", &[Plain("/telecom/0/value")]),
            ("identifier", &[Plain("/identifier/0/value")]),
        ],
    ),
    (
        "Encounter",
        &[
            ("id", &[Plain("/id")]),
            ("subject", &[Plain("/subject/reference")]),
            ("class", &[Coding("/class")]),
            ("start", &[Plain("/period/start")]),
            ("end", &[Plain("/period/end")]),
        ],
    ),
    (
        "Condition",
        &[
            ("id", &[Plain("/id")]),
            ("subject", &[Plain("/subject/reference")]),
            ("code", &[Concept("/code")]),
            ("clinicalStatus", &[Concept("/clinicalStatus")]),
            (
                "onset",
                &[Plain("/onsetDateTime"), Plain("/onsetPeriod/start"), Plain("/recordedDate")],
            ),
        ],
    ),
    (
        "Observation",
        &[
            ("id", &[Plain("/id")]),
            ("subject", &[Plain("/subject/reference")]),
            ("item", &[Concept("/code")]),
            ("effective", &[Plain("/effectiveDateTime"), Plain("/effectivePeriod/start")]),
            ("value", &[Plain("/valueQuantity/value")]),
            ("unit", &[Coding("/valueQuantity"), Plain("/valueQuantity/unit")]),
            (
                "valueText",
                &[
                    Plain("/valueCodeableConcept/text"),
                    Concept("/valueCodeableConcept"),
                    Plain("/valueString"),
                ],
            ),
        ],
    ),
    (
        "AllergyIntolerance",
        &[
            ("id", &[Plain("/id")]),
            ("subject", &[Plain("/patient/reference")]),
            ("category", &[Plain("/category/0")]),
            ("code", &[Concept("/code"), Plain("/code/text")]),
            ("criticality", &[Plain("/criticality")]),
        ],
    ),
    (
        "MedicationRequest",
        &[
            ("id", &[Plain("/id")]),
            ("subject", &[Plain("/subject/reference")]),
            ("drug", &[Concept("/medicationCodeableConcept")]),
            ("authoredOn", &[Plain("/authoredOn")]),
            ("days", &[Plain("/dispenseRequest/expectedSupplyDuration/value")]),
        ],
    ),
];

/// Rows of an NDJSON file of one resource type, one resource a line.
pub(crate) struct FhirRows {
    file: PathBuf,
    reader: BufReader<HashedReader>,
    hash: Digest,
    resource: &'static str,
    elements: &'static [Element],
    /// Code systems that the profile takes, for each element.
    systems: Vec<Vec<String>>,
    headers: Vec<String>,
    line: u64,
    bytes: u64,
    row: Result<Vec<String>, FieldError>,
}

impl FhirRows {
    pub(crate) fn open(file: &Path, table: &TableSpec) -> Result<Self, IngestError> {
        let wanted = table.fhir.as_deref().unwrap_or_default();
        let known = RESOURCES.iter().find(|(resource, _)| *resource == wanted);
        let (resource, elements) = known.ok_or_else(|| IngestError::Tables {
            table: table.name.clone(),
            reason: "the profile says no FHIR resource type that can be read".to_owned(),
        })?;
        let systems = elements.iter().map(|(name, _)| {
            let column = table.columns.iter().find(|column| column.source() == *name);
            column.map_or_else(Vec::new, |column| column.systems.clone())
        });
        let source = HashedReader::open(file)?;
        let hash = source.hash.clone();
        Ok(Self {
            systems: systems.collect(),
            file: file.to_owned(),
            reader: BufReader::with_capacity(64 * 1024, source),
            hash,
            resource,
            elements,
            headers: elements.iter().map(|(name, _)| (*name).to_owned()).collect(),
            line: 0,
            bytes: 0,
            row: Ok(Vec::new()),
        })
    }

    /// The next line, cut at the limit; `None` at the end of the file.
    fn read_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        if !line.ends_with(b"\n") && line.len() > MAX_LINE {
            self.skip_line()?;
        }
        Ok(Some(line))
    }

    /// Reads on to the end of an overlong line without keeping it.
    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.reader.consume(used);
            self.bytes += used as u64;
            if ended {
                return Ok(());
            }
        }
    }

    fn flatten(&self, line: &[u8]) -> Result<Vec<String>, FieldError> {
        let wrong = |code, reason: &str| FieldError {
            code,
            column: String::new(),
            reason: reason.to_owned(),
        };
        if line.len() > MAX_LINE {
            let reason = format!("the line is longer than {MAX_LINE} bytes");
            return Err(wrong("source.long_line", &reason));
        }
        let resource: Value = serde_json::from_slice(line)
            .map_err(|_| wrong("source.bad_json", "not one JSON value, or nested too deep"))?;
        if resource.get("resourceType").and_then(Value::as_str) != Some(self.resource) {
            let reason = format!("not a resource of type {}", self.resource);
            return Err(wrong("source.other_resource", &reason));
        }
        let elements = self.elements.iter().zip(&self.systems);
        elements.map(|(element, systems)| element::text(&resource, element, systems)).collect()
    }
}

impl Rows for FhirRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        loop {
            let line = self.read_line().map_err(|source| io_error(&self.file, source))?;
            let Some(line) = line else { return Ok(false) };
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                self.row = self.flatten(&line);
                return Ok(true);
            }
        }
    }

    fn line(&self) -> u64 {
        self.line
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        match &self.row {
            Ok(row) => Ok(row.iter().map(String::as_str).collect()),
            Err(wrong) => Err(wrong.clone()),
        }
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.finish()
    }
}
