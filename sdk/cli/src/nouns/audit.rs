//! `sekisho audit`: the log, believed only as far as it can be proved (LG-2).
//!
//! The log's public key is taken from `--key`, else from the profile, where the first
//! answer of the gateway put it. Invariant: a key that changes is an error, never an update.

use std::{
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sekisho_audit::{
    Checkpoint, Hash, VerifierKey,
    export::ExportLine,
    verify::{Verified, Verifier},
    verify_inclusion,
    witness::Witness,
};
use sekisho_proto::v1::{
    ExportEntriesRequest, ExportEntriesResponse, GetCheckpointRequest, GetCheckpointResponse,
    GetConsistencyProofRequest, GetInclusionProofRequest, audit_service_client::AuditServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    error::CliError,
    gateway::Desk,
    nouns::closing,
    screen::{fields, to_json},
};

/// The log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// The newest signed checkpoint
    Checkpoint {
        /// Also write the signed note here
        #[arg(long, value_name = "FILE")]
        note_out: Option<PathBuf>,
        /// Also write the log's public key here
        #[arg(long, value_name = "FILE")]
        key_out: Option<PathBuf>,
    },
    /// Write all entries and the newest checkpoint to a file, for offline verification
    Export {
        /// File to write, one JSON object per line
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Verify the log: an exported file offline, or the gateway's log as it is now
    Verify {
        /// Export made by `sekisho audit export`; without it the log is fetched
        file: Option<PathBuf>,
        /// A checkpoint kept elsewhere, which the log must agree with; may be repeated
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// The log's public key; the one in the profile when not given
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Prove that one entry is under the newest checkpoint, and print it
    Prove {
        /// Index of the entry, from 0
        index: u64,
    },
    /// Verify a kept erasure record (消去記録) offline
    Erasure {
        /// Folder written by `sekisho steward project erasure --out`
        folder: PathBuf,
        /// The log's public key; the one in the profile when not given
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Remember the newest checkpoint, and prove that the log only grew since the last
    Witness {
        /// Where the last checkpoint seen is kept
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
        /// The log's public key; the one in the profile when not given
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

impl AuditCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        match self {
            Self::Checkpoint { note_out, key_out } => checkpoint(desk, note_out, key_out).await,
            Self::Export { out } => export(desk, &out).await,
            Self::Verify { file: Some(file), checkpoints, key } => {
                let key = key.map_or_else(|| desk.profile.log_key(), |path| read_key(&path))?;
                let verified = verify_file(&file, verifier(key, &checkpoints)?)?;
                report(desk, &verified)
            }
            Self::Verify { file: None, checkpoints, key } => {
                let (mut client, signed) = newest(desk, key.as_deref()).await?;
                let verifier = verifier(signed.key.clone(), &checkpoints)?;
                let verified = verify_online(&mut client, &signed, verifier).await?;
                report(desk, &verified)
            }
            Self::Prove { index } => prove(desk, index).await,
            Self::Erasure { folder, key } => {
                let key = key.map_or_else(|| desk.profile.log_key(), |path| read_key(&path))?;
                closing::verify_folder(desk, &folder, &key)
            }
            Self::Witness { state, key } => witness(desk, &state, key.as_deref()).await,
        }
    }
}

/// A checkpoint whose signature held.
struct Signed {
    answer: GetCheckpointResponse,
    key: VerifierKey,
    checkpoint: Checkpoint,
}

async fn newest(
    desk: &Desk,
    key: Option<&Path>,
) -> Result<(AuditServiceClient<Channel>, Signed), CliError> {
    let mut client = AuditServiceClient::new(desk.connect_session().await?);
    let answer = client.get_checkpoint(GetCheckpointRequest {}).await?.into_inner();
    let offered = parse_key(&answer.verifier_key)?;
    let key = match key {
        Some(path) => read_key(path)?,
        None => desk.profile.pin_log_key(&offered)?,
    };
    let checkpoint = Checkpoint::verify(&answer.checkpoint, &key)
        .map_err(|error| CliError::NotVerified(format!("checkpoint: {error}")))?;
    Ok((client, Signed { answer, key, checkpoint }))
}

/// The log's key, kept from the first time it was seen.
pub(crate) async fn log_key(desk: &Desk) -> Result<VerifierKey, CliError> {
    Ok(newest(desk, None).await?.1.key)
}

async fn checkpoint(
    desk: &Desk,
    note_out: Option<PathBuf>,
    key_out: Option<PathBuf>,
) -> Result<(), CliError> {
    let (_, signed) = newest(desk, None).await?;
    let answer = &signed.answer;
    if let Some(path) = note_out {
        fs::write(&path, &answer.checkpoint).map_err(CliError::file(path))?;
    }
    if let Some(path) = key_out {
        fs::write(&path, format!("{}\n", answer.verifier_key)).map_err(CliError::file(path))?;
    }
    desk.screen.record("GetCheckpointResponse", answer, || {
        let head = &signed.checkpoint.head;
        fields(&[
            ("log", signed.checkpoint.origin.clone()),
            ("entries", head.size.to_string()),
            ("root", hex::encode(head.root.as_bytes())),
            ("key", answer.verifier_key.clone()),
        ])
    })
}

async fn export(desk: &Desk, out: &Path) -> Result<(), CliError> {
    let (mut client, signed) = newest(desk, None).await?;
    let size = signed.checkpoint.head.size;
    let bar = desk.screen.bar(size, "exporting", "{msg} {bar:30} {pos}/{len} entries");
    let file = fs::File::create(out).map_err(CliError::file(out))?;
    let mut file = BufWriter::new(file);
    let mut put = |line: ExportLine| {
        let text = line.to_json().map_err(|error| CliError::NotVerified(error.to_string()))?;
        writeln!(file, "{text}").map_err(CliError::file(out))
    };
    let mut stream = entries(&mut client, 0, size).await?;
    while let Some(entry) = stream.message().await? {
        for line in lines_of(entry)? {
            put(line)?;
        }
        bar.inc(1);
    }
    put(ExportLine::Checkpoint(signed.answer.checkpoint.clone()))?;
    bar.finish_and_clear();
    file.flush().map_err(CliError::file(out))?;
    if desk.screen.json {
        return desk.screen.value(&json!({ "file": out, "entries": size }));
    }
    desk.screen.text(&format!("{size} entries and their checkpoint in {}", out.display()))
}

async fn verify_online(
    client: &mut AuditServiceClient<Channel>,
    signed: &Signed,
    mut verifier: Verifier,
) -> Result<Verified, CliError> {
    let mut stream = entries(client, 0, signed.checkpoint.head.size).await?;
    while let Some(entry) = stream.message().await? {
        for line in lines_of(entry)? {
            feed(&mut verifier, line)?;
        }
    }
    feed(&mut verifier, ExportLine::Checkpoint(signed.answer.checkpoint.clone()))?;
    Ok(verifier.finish()?)
}

fn verify_file(path: &Path, mut verifier: Verifier) -> Result<Verified, CliError> {
    let file = fs::File::open(path).map_err(CliError::file(path))?;
    for line in BufReader::new(file).split(b'\n') {
        verifier.feed(&line.map_err(CliError::file(path))?)?;
    }
    Ok(verifier.finish()?)
}

fn feed(verifier: &mut Verifier, line: ExportLine) -> Result<(), CliError> {
    let text = line.to_json().map_err(|error| CliError::NotVerified(error.to_string()))?;
    Ok(verifier.feed(text.as_bytes())?)
}

fn verifier(key: VerifierKey, kept: &[PathBuf]) -> Result<Verifier, CliError> {
    let read = |path: &PathBuf| {
        let note = fs::read_to_string(path).map_err(CliError::file(path))?;
        Checkpoint::verify(&note, &key)
            .map_err(|error| CliError::NotVerified(format!("{}: {error}", path.display())))
    };
    let kept = kept.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Verifier::new(key.clone(), kept)?)
}

fn report(desk: &Desk, verified: &Verified) -> Result<(), CliError> {
    let root = hex::encode(verified.head.root.as_bytes());
    if desk.screen.json {
        return desk.screen.value(&json!({
            "verified": true,
            "entries": verified.head.size,
            "root": root,
            "checkpoints": verified.checkpoints,
        }));
    }
    desk.screen.text(&format!(
        "the log is intact: {} entries, root {root}, {} signed checkpoints agree",
        verified.head.size, verified.checkpoints
    ))
}

async fn prove(desk: &Desk, index: u64) -> Result<(), CliError> {
    let (mut client, signed) = newest(desk, None).await?;
    let head = signed.checkpoint.head;
    let request = GetInclusionProofRequest { index, tree_size: head.size };
    let proof = client.get_inclusion_proof(request).await?.into_inner();
    let mut stream = entries(&mut client, index, index.saturating_add(1)).await?;
    let entry = stream.message().await?.ok_or(CliError::Contract("the entry"))?;
    verify_inclusion(&entry.leaf, index, &head, &hashes(&proof.hashes)?)
        .map_err(|error| CliError::NotVerified(format!("entry {index}: {error}")))?;
    let event: Value = serde_json::from_slice(&entry.leaf)
        .map_err(|_| CliError::NotVerified(format!("entry {index} is not an event")))?;
    if desk.screen.json {
        return desk.screen.value(&json!({
            "verified": true,
            "proof": to_json("GetInclusionProofResponse", &proof)?,
            "event": event,
        }));
    }
    desk.screen.text(&format!("{event:#}"))?;
    desk.screen
        .text(&format!("entry {index} is under the signed checkpoint of {} entries", head.size))
}

async fn witness(desk: &Desk, state: &Path, key: Option<&Path>) -> Result<(), CliError> {
    let (mut client, signed) = newest(desk, key).await?;
    let refuse = |error: &dyn std::fmt::Display| CliError::NotVerified(format!("witness: {error}"));
    let mut witness = match fs::read_to_string(state) {
        Ok(note) => Witness::resume(signed.key.clone(), &note).map_err(|e| refuse(&e))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Witness::new(signed.key.clone())
        }
        Err(error) => return Err(CliError::file(state)(error)),
    };
    let (before, now) = (witness.size(), signed.checkpoint.head.size);
    let proof = if before == 0 || now <= before {
        Vec::new()
    } else {
        let request = GetConsistencyProofRequest { old_size: before, new_size: now };
        let answer = client.get_consistency_proof(request).await?.into_inner();
        hashes(&answer.hashes)?
    };
    witness.advance(&signed.answer.checkpoint, &proof).map_err(|e| refuse(&e))?;
    let note = witness.note().ok_or(CliError::Contract("a checkpoint"))?;
    replace(state, note)?;
    if desk.screen.json {
        return desk.screen.value(&json!({ "verified": true, "before": before, "entries": now }));
    }
    desk.screen.text(&format!("the log only grew: from {before} to {now} entries"))
}

async fn entries(
    client: &mut AuditServiceClient<Channel>,
    start: u64,
    end: u64,
) -> Result<tonic::Streaming<ExportEntriesResponse>, CliError> {
    let request = ExportEntriesRequest { start, end };
    Ok(client.export_entries(request).await?.into_inner())
}

/// The entry with the hash that was stored when it was written, then the checkpoint that
/// was signed over it, if there was one.
fn lines_of(entry: ExportEntriesResponse) -> Result<Vec<ExportLine>, CliError> {
    let leaf_hash = Hash::try_from(entry.leaf_hash.as_slice())
        .map_err(|_| CliError::Contract("a leaf hash of 32 bytes"))?;
    let mut lines = vec![ExportLine::Entry { index: entry.index, leaf: entry.leaf, leaf_hash }];
    if !entry.checkpoint.is_empty() {
        lines.push(ExportLine::Checkpoint(entry.checkpoint));
    }
    Ok(lines)
}

pub(crate) fn hashes(bytes: &[Vec<u8>]) -> Result<Vec<Hash>, CliError> {
    bytes
        .iter()
        .map(|bytes| Hash::try_from(bytes.as_slice()))
        .collect::<Result<_, _>>()
        .map_err(|_| CliError::Contract("hashes of 32 bytes"))
}

fn read_key(path: &Path) -> Result<VerifierKey, CliError> {
    parse_key(&fs::read_to_string(path).map_err(CliError::file(path))?)
}

fn parse_key(text: &str) -> Result<VerifierKey, CliError> {
    text.trim().parse().map_err(|error| CliError::Input(format!("the log's key: {error}")))
}

/// Old state or new state, never half of one.
fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    fs::write(&draft, text).map_err(CliError::file(&draft))?;
    fs::rename(&draft, path).map_err(CliError::file(path))
}

#[cfg(test)]
mod tests {
    use sekisho_audit::{CheckpointSigner, MerkleLog};

    use super::*;
    use crate::exit::Exit;

    struct Example {
        dir: tempfile::TempDir,
        signer: CheckpointSigner,
    }

    impl Example {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let signer = CheckpointSigner::from_seed("gateway.example/log", &[1; 32]).unwrap();
            let mut log = MerkleLog::new();
            let mut text = String::new();
            for (index, leaf) in [&b"zero"[..], b"one", b"two"].into_iter().enumerate() {
                log.append(leaf);
                let entry = ExportEntriesResponse {
                    index: index as u64,
                    leaf: leaf.to_vec(),
                    leaf_hash: Hash::of_leaf(leaf).as_bytes().to_vec(),
                    checkpoint: String::new(),
                };
                for line in lines_of(entry).unwrap() {
                    text.push_str(&line.to_json().unwrap());
                    text.push('\n');
                }
            }
            let note = signer.sign(&log.head()).unwrap();
            text.push_str(&ExportLine::Checkpoint(note.clone()).to_json().unwrap());
            text.push('\n');
            fs::write(dir.path().join("export"), text).unwrap();
            fs::write(dir.path().join("note"), note).unwrap();
            Self { dir, signer }
        }

        fn verify(&self) -> Result<Verified, CliError> {
            let kept = [self.dir.path().join("note")];
            let verifier = verifier(self.signer.verifier().clone(), &kept)?;
            verify_file(&self.dir.path().join("export"), verifier)
        }
    }

    #[test]
    fn lg_2_an_intact_export_verifies_offline() {
        let verified = Example::new().verify().unwrap();
        assert_eq!(verified.head.size, 3);
        assert_eq!(verified.checkpoints, 2);
    }

    #[test]
    fn lg_2_a_changed_entry_is_named() {
        let example = Example::new();
        let path = example.dir.path().join("export");
        let text = fs::read_to_string(&path).unwrap();
        // "one" becomes "onf" in Base64; the hash beside it stays.
        fs::write(&path, text.replace("b25l", "b25m")).unwrap();
        let error = example.verify().unwrap_err();
        assert_eq!(error.exit(), Exit::NotVerified);
        assert_eq!(error.first_bad(), Some(1));
        assert_eq!(error.reason(), "audit_altered");
    }

    #[test]
    fn lg_2_a_cut_export_is_noticed_by_the_kept_checkpoint() {
        let example = Example::new();
        let path = example.dir.path().join("export");
        let text = fs::read_to_string(&path).unwrap();
        let first_two: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
        fs::write(&path, first_two).unwrap();
        let error = example.verify().unwrap_err();
        assert_eq!((error.reason(), error.first_bad()), ("audit_truncated", Some(2)));
    }

    #[test]
    fn lg_2_a_key_that_changes_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let profile = crate::profile::Profile::locate(Some(dir.path().to_owned())).unwrap();
        let key = |seed: u8| {
            let signer = CheckpointSigner::from_seed("gateway.example/log", &[seed; 32]).unwrap();
            signer.verifier().clone()
        };
        assert_eq!(profile.pin_log_key(&key(1)).unwrap(), key(1));
        assert_eq!(profile.log_key().unwrap(), key(1));
        let error = profile.pin_log_key(&key(2)).unwrap_err();
        assert_eq!(error.exit(), Exit::NotVerified);
    }
}
