use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sekisho_dataset::TableSpec;
use serde_json::Value;

use super::{Digest, HashedReader, Rows, io_error};
use crate::IngestError;
use crate::process::FieldError;

/// Longest line, in bytes: a resource of the kinds below has a few thousand. Nesting is
/// limited to 128 levels by the parser.
const MAX_LINE: usize = 1024 * 1024;

/// One flattened element: its name as a source column, and where it stands, the first of
/// several places that holds something.
type Element = (&'static str, &'static [&'static str]);

/// How resources of FHIR R4, as JP Core uses them, become rows. Repeated elements are told
/// by their first repetition.
const RESOURCES: &[(&str, &[Element])] = &[
    (
        "Patient",
        &[
            ("id", &["/id"]),
            ("birthDate", &["/birthDate"]),
            ("gender", &["/gender"]),
            ("address", &["/address/0/text", "/address/0/state"]),
            ("name", &["/name/0/text", "/name/0/family"]),
            ("telecom", &["/telecom/0/value"]),
            ("identifier", &["/identifier/0/value"]),
        ],
    ),
    (
        "Encounter",
        &[
            ("id", &["/id"]),
            ("subject", &["/subject/reference"]),
            ("class", &["/class/code"]),
            ("start", &["/period/start"]),
            ("end", &["/period/end"]),
        ],
    ),
    (
        "Condition",
        &[
            ("id", &["/id"]),
            ("subject", &["/subject/reference"]),
            ("code", &["/code/coding/0/code"]),
            ("clinicalStatus", &["/clinicalStatus/coding/0/code"]),
            ("onset", &["/onsetDateTime", "/onsetPeriod/start", "/recordedDate"]),
        ],
    ),
    (
        "Observation",
        &[
            ("id", &["/id"]),
            ("subject", &["/subject/reference"]),
            ("item", &["/code/coding/0/code"]),
            ("effective", &["/effectiveDateTime", "/effectivePeriod/start"]),
            ("value", &["/valueQuantity/value"]),
            ("unit", &["/valueQuantity/unit", "/valueQuantity/code"]),
            (
                "valueText",
                &[
                    "/valueCodeableConcept/text",
                    "/valueCodeableConcept/coding/0/code",
                    "/valueString",
                ],
            ),
        ],
    ),
    (
        "AllergyIntolerance",
        &[
            ("id", &["/id"]),
            ("subject", &["/patient/reference"]),
            ("category", &["/category/0"]),
            ("code", &["/code/coding/0/code", "/code/text"]),
            ("criticality", &["/criticality"]),
        ],
    ),
    (
        "MedicationRequest",
        &[
            ("id", &["/id"]),
            ("subject", &["/subject/reference"]),
            ("drug", &["/medicationCodeableConcept/coding/0/code"]),
            ("authoredOn", &["/authoredOn"]),
            ("days", &["/dispenseRequest/expectedSupplyDuration/value"]),
        ],
    ),
];

/// Elements that hold a date or an instant, of which the day is taken.
const DATES: [&str; 6] = ["birthDate", "start", "end", "onset", "effective", "authoredOn"];

/// Rows of an NDJSON file of one resource type, one resource a line.
pub(crate) struct FhirRows {
    file: PathBuf,
    reader: BufReader<HashedReader>,
    hash: Digest,
    resource: &'static str,
    elements: &'static [Element],
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
        let source = HashedReader::open(file)?;
        let hash = source.hash.clone();
        Ok(Self {
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
        Ok(self.elements.iter().map(|(name, places)| element(&resource, name, places)).collect())
    }
}

fn element(resource: &Value, name: &str, places: &[&str]) -> String {
    let found = places.iter().find_map(|place| match resource.pointer(place)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    });
    let text = found.unwrap_or_default();
    if name == "subject" {
        // `Patient/x`, also behind the address of a server.
        return text.rsplit_once("Patient/").map_or(text.clone(), |(_, id)| id.to_owned());
    }
    if DATES.contains(&name) {
        return text.split_once('T').map_or(text.clone(), |(day, _)| day.to_owned());
    }
    text
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
