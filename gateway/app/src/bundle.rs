//! A release as an RO-Crate 1.1: what left, what was checked, who decided, where it
//! came from, and the log's proof of it.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use sekisho_domain::{Module, Project, Release, ReviewRequest, Run};
use sekisho_proto::{FILE_DESCRIPTOR_SET, v1};
use sekisho_store::Withdrawal;
use serde_json::{Value, json};

use crate::{AppError, outputs::decode};

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Relative path, with `/`.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
}

pub(crate) struct Parts<'a> {
    pub(crate) release: &'a Release,
    pub(crate) request: &'a ReviewRequest,
    pub(crate) run: &'a Run,
    pub(crate) module: &'a Module,
    pub(crate) project: &'a Project,
    pub(crate) withdrawal: &'a Withdrawal,
    pub(crate) verifier_key: &'a str,
}

/// The bundle's files, metadata first.
pub(crate) fn files(parts: &Parts<'_>) -> Result<Vec<BundleFile>, AppError> {
    let mut files = Vec::new();
    for (record, content) in &parts.withdrawal.outputs {
        let checked = decode(content)?;
        let output = checked.output.clone().unwrap_or_default();
        files.push(file(format!("outputs/{}.json", record.name), &reflect(&output, "Output")?));
        if let Some(v1::output::Body::Table(table)) = &output.body {
            let bytes = csv(table).into_bytes();
            files.push(BundleFile { path: format!("outputs/{}.csv", record.name), bytes });
        }
        let checks = v1::CheckedOutput { output: None, ..outward(checked) };
        files.push(file(
            format!("checks/{}.json", record.name),
            &reflect(&checks, "CheckedOutput")?,
        ));
    }
    files.push(file("decision.json".to_owned(), &decision(parts)));
    files.push(file("provenance.json".to_owned(), &provenance(parts)));
    let withdrawal = parts.withdrawal;
    files.push(BundleFile { path: "log/entry.json".to_owned(), bytes: withdrawal.entry.clone() });
    files.push(file("log/inclusion.json".to_owned(), &inclusion(parts)));
    files.push(BundleFile {
        path: "log/checkpoint.txt".to_owned(),
        bytes: withdrawal.checkpoint.clone().into_bytes(),
    });
    files.insert(0, file("ro-crate-metadata.json".to_owned(), &metadata(parts, &files)));
    Ok(files)
}

/// What may be told outside of a check: true counts of cells stay with the reviewers,
/// or they would give away what was withheld.
pub(crate) fn outward(mut checked: v1::CheckedOutput) -> v1::CheckedOutput {
    if let Some(evidence) = &mut checked.evidence {
        evidence.cell_patients.clear();
    }
    checked
}

fn file(path: String, content: &Value) -> BundleFile {
    BundleFile { path, bytes: format!("{content:#}\n").into_bytes() }
}

/// A message in the JSON mapping of Protocol Buffers.
fn reflect(message: &impl Message, name: &str) -> Result<Value, AppError> {
    let broken = |error: &dyn std::fmt::Display| AppError::Internal(format!("{name}: {error}"));
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).map_err(|e| broken(&e))?;
    let descriptor = pool
        .get_message_by_name(&format!("sekisho.v1.{name}"))
        .ok_or_else(|| broken(&"not in the descriptor set"))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|e| broken(&e))?;
    serde_json::to_value(&dynamic).map_err(|e| broken(&e))
}

/// RFC 4180, with withheld cells as `*` and missing ones empty.
fn csv(table: &v1::Table) -> String {
    let header: Vec<_> = table.columns.iter().map(|column| quote(&column.name)).collect();
    let mut lines = vec![header.join(",")];
    for row in &table.rows {
        let cells: Vec<_> = row.cells.iter().map(cell).collect();
        lines.push(cells.join(","));
    }
    lines.join("\r\n") + "\r\n"
}

fn cell(cell: &v1::Cell) -> String {
    use v1::cell::Value as Cell;
    match &cell.value {
        None => String::new(),
        Some(Cell::Label(label)) => quote(label),
        Some(Cell::Count(count)) => count.to_string(),
        Some(Cell::Number(number)) => number.to_string(),
        Some(Cell::Suppressed(_)) => "*".to_owned(),
    }
}

fn quote(text: &str) -> String {
    // A leading formula sign would be run by a spreadsheet.
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn decision(parts: &Parts<'_>) -> Value {
    let votes: Vec<_> = parts
        .request
        .votes
        .iter()
        .map(|vote| {
            json!({
                "reviewer": vote.reviewer,
                "round": vote.round,
                "verdict": vote.verdict,
                "comment": vote.comment,
                "cast_at": vote.cast_at.to_rfc3339(),
                "decision_sha256": vote.decision_sha256,
            })
        })
        .collect();
    json!({
        "review_request_id": parts.request.review_request_id,
        "requested_by": parts.request.requested_by,
        "purpose": parts.request.purpose,
        "rounds": parts.request.round,
        "votes": votes,
        "released_at": parts.release.released_at.to_rfc3339(),
    })
}

fn provenance(parts: &Parts<'_>) -> Value {
    json!({
        "release_id": parts.release.release_id,
        "run_id": parts.run.run_id,
        "module_id": parts.module.module_id,
        "module_name": parts.module.name,
        "module_sha256": parts.module.sha256,
        "manifest_sha256": parts.module.manifest_sha256,
        "dataset_id": parts.run.dataset_id,
        "dataset_version": parts.run.dataset_version,
        "joined": parts.run.joined,
        "bring_ins": parts.run.bring_ins,
        "project_id": parts.project.project_id,
        "agreement_id": parts.project.agreement.agreement_id,
        "purpose": parts.project.agreement.purpose,
        "min_cell": parts.project.agreement.min_cell,
    })
}

fn inclusion(parts: &Parts<'_>) -> Value {
    let withdrawal = parts.withdrawal;
    let hashes: Vec<_> = withdrawal.inclusion.iter().map(ToString::to_string).collect();
    json!({
        "index": withdrawal.entry_index,
        "tree_size": withdrawal.tree_size,
        "hashes": hashes,
        "verifier_key": parts.verifier_key,
    })
}

/// RO-Crate 1.1 root and file entities.
fn metadata(parts: &Parts<'_>, files: &[BundleFile]) -> Value {
    let parts_list: Vec<_> = files.iter().map(|file| json!({ "@id": file.path })).collect();
    let mut graph = vec![
        json!({
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "conformsTo": { "@id": "https://w3id.org/ro/crate/1.1" },
            "about": { "@id": "./" },
        }),
        json!({
            "@id": "./",
            "@type": "Dataset",
            "name": format!("Release of {}", parts.project.name),
            "description": parts.request.purpose,
            "identifier": parts.release.release_id,
            "datePublished": parts.release.released_at.to_rfc3339(),
            "license": "As agreed between producer and user organisation",
            "hasPart": parts_list,
            "mentions": [{ "@id": "#run" }],
        }),
        json!({
            "@id": "#run",
            "@type": "CreateAction",
            "name": parts.run.run_id,
            "instrument": { "@id": "#module" },
            "result": { "@id": "./" },
        }),
        json!({
            "@id": "#module",
            "@type": "SoftwareApplication",
            "name": parts.module.name,
            "identifier": format!("sha256:{}", parts.module.sha256),
        }),
    ];
    graph.extend(files.iter().map(|file| {
        let encoding = match file.path.rsplit('.').next() {
            Some("json") => "application/json",
            Some("csv") => "text/csv",
            _ => "text/plain",
        };
        json!({
            "@id": file.path,
            "@type": "File",
            "encodingFormat": encoding,
            "contentSize": file.bytes.len().to_string(),
        })
    }));
    json!({ "@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph })
}
