//! `sekisho steward project`: close-out, and the erasure record (消去記録) with its proof.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sekisho_audit::{Checkpoint, Event, EventKind, Hash, VerifierKey, leaf, verify_inclusion};
use sekisho_proto::v1::{
    CloseProjectRequest, GetErasureRecordRequest, GetErasureRecordResponse,
    steward_service_client::StewardServiceClient,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tonic::transport::Channel;

use crate::{
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    nouns::{
        audit::{hashes, log_key},
        project,
    },
    screen::fields,
};

const CLOSE_PROJECT: &str = "/sekisho.v1.StewardService/CloseProject";

/// The end of projects.
#[derive(Debug, Subcommand)]
pub(crate) enum ClosingCommand {
    /// Close a project: its runs end and its keys are destroyed; needs a fresh assertion
    Close {
        /// Project id
        project: String,
        /// Why, for the erasure record
        #[arg(long)]
        reason: String,
    },
    /// Fetch a closed project's erasure record and check the log's proof of it
    Erasure {
        /// Project id
        project: String,
        /// Folder to keep record and proof in, for `sekisho audit erasure`
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

impl ClosingCommand {
    pub(crate) async fn run(self, desk: &Desk, channel: Channel) -> Result<(), CliError> {
        match self {
            Self::Close { project, reason } => close(desk, channel, project, reason).await,
            Self::Erasure { project, out } => {
                let request = GetErasureRecordRequest { project_id: project };
                let mut client = StewardServiceClient::new(channel);
                let answer = client.get_erasure_record(request).await?.into_inner();
                let removed = answer.removed;
                let record = Record::new(answer)?;
                let erasure = record.verify(&log_key(desk).await?)?;
                if let Some(folder) = out {
                    record.write(&folder)?;
                }
                show(desk, &erasure, Some(removed))
            }
        }
    }
}

async fn close(
    desk: &Desk,
    channel: Channel,
    project_id: String,
    reason: String,
) -> Result<(), CliError> {
    let mut request = CloseProjectRequest { project_id, reason, step_up: None };
    request.step_up = Some(step_up(&channel, desk.screen, CLOSE_PROJECT, &request).await?);
    let mut client = StewardServiceClient::new(channel);
    let answer = client.close_project(request).await?.into_inner();
    let closed = answer.project.ok_or(CliError::Contract("a project"))?;
    desk.screen.record("Project", &closed, || project::describe(&closed))
}

/// Checks a kept record offline.
pub(crate) fn verify_folder(desk: &Desk, folder: &Path, key: &VerifierKey) -> Result<(), CliError> {
    show(desk, &Record::read(folder)?.verify(key)?, None)
}

fn show(desk: &Desk, erasure: &Value, removed: Option<bool>) -> Result<(), CliError> {
    if desk.screen.json {
        return desk
            .screen
            .value(&json!({ "verified": true, "erasure": erasure, "removed": removed }));
    }
    let text = |pointer: &str| match erasure.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "the gateway, after the period of use".to_owned(),
        Some(other) => other.to_string(),
    };
    let count =
        |key: &str| erasure.get(key).and_then(Value::as_array).map_or(0, Vec::len).to_string();
    let mut lines = vec![
        ("project", text("/project_id")),
        ("closed by", text("/closure/by")),
        ("reason", text("/closure/reason")),
        ("rule", text("/rule")),
        ("keys destroyed", count("keys")),
        ("objects erased", count("objects")),
        ("log entry", text("/entry_index")),
        ("proof", "the record's hash is under the signed checkpoint".to_owned()),
    ];
    if removed == Some(false) {
        lines.push(("note", "sealed objects are still being removed; no key is left".to_owned()));
    }
    desk.screen.text(&fields(&lines))
}

/// A record and its proof.
struct Record {
    erasure: Vec<u8>,
    leaf: Vec<u8>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: String,
}

impl Record {
    fn new(answer: GetErasureRecordResponse) -> Result<Self, CliError> {
        Ok(Self {
            erasure: answer.erasure_json,
            leaf: answer.leaf,
            index: answer.entry_index,
            hashes: hashes(&answer.hashes)?,
            checkpoint: answer.checkpoint,
        })
    }

    /// The record, once its hash is in an entry that the signed checkpoint covers.
    fn verify(&self, key: &VerifierKey) -> Result<Value, CliError> {
        let refuse = |error: &dyn std::fmt::Display| {
            CliError::NotVerified(format!("erasure record: {error}"))
        };
        let head = Checkpoint::verify(&self.checkpoint, key).map_err(|error| refuse(&error))?.head;
        verify_inclusion(&self.leaf, self.index, &head, &self.hashes)
            .map_err(|error| refuse(&error))?;
        let event: Event = leaf::decode(&self.leaf).map_err(|error| refuse(&error))?;
        let EventKind::ProjectClosed { erasure_sha256, .. } = event.kind else {
            return Err(refuse(&"the entry closes no project"));
        };
        if erasure_sha256 != hex::encode(Sha256::digest(&self.erasure)) {
            return Err(refuse(&"its hash is not the one in the log"));
        }
        serde_json::from_slice(&self.erasure).map_err(|error| refuse(&error))
    }

    fn write(&self, folder: &Path) -> Result<(), CliError> {
        fs::create_dir_all(folder).map_err(CliError::file(folder))?;
        let hashes: Vec<String> = self.hashes.iter().map(ToString::to_string).collect();
        let inclusion = json!({ "index": self.index, "hashes": hashes }).to_string();
        let files: [(&str, &[u8]); 4] = [
            ("erasure.json", &self.erasure),
            ("entry.json", &self.leaf),
            ("inclusion.json", inclusion.as_bytes()),
            ("checkpoint.txt", self.checkpoint.as_bytes()),
        ];
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(CliError::file(path))?;
        }
        Ok(())
    }

    fn read(folder: &Path) -> Result<Self, CliError> {
        let bytes = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(CliError::file(path))
        };
        let malformed = || CliError::Input(format!("{}: malformed proof", folder.display()));
        let inclusion: Value =
            serde_json::from_slice(&bytes("inclusion.json")?).map_err(|_| malformed())?;
        let listed = inclusion.get("hashes").and_then(Value::as_array).ok_or_else(malformed)?;
        let decoded = listed.iter().map(|hash| hex::decode(hash.as_str().unwrap_or_default()));
        let decoded: Vec<Vec<u8>> = decoded.collect::<Result<_, _>>().map_err(|_| malformed())?;
        Ok(Self {
            erasure: bytes("erasure.json")?,
            leaf: bytes("entry.json")?,
            index: inclusion.get("index").and_then(Value::as_u64).ok_or_else(malformed)?,
            hashes: hashes(&decoded)?,
            checkpoint: String::from_utf8(bytes("checkpoint.txt")?).map_err(|_| malformed())?,
        })
    }
}
