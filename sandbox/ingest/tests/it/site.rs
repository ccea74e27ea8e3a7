//! A site to run the program on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use sekisho_dataset::SealedVersion;
use sekisho_vault::{FileVault, ReceivingKey, VerifyingIdentity};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A day on which nothing of a site is out of date.
pub(crate) const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 28);

/// A producer's folders, and the program run on them.
pub(crate) struct Site(pub(crate) TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let worker = site.at("worker");
        let vault = Arc::new(FileVault::create(&worker).unwrap());
        let (file, public) = (worker.join("receiving.key.sealed"), worker.join("receiving.pub"));
        ReceivingKey::create(&file, &public, vault).unwrap();
        let done = site.run(&["init"], &["--zone", "--receiver"]);
        assert!(done.status.success(), "{done:?}");
        site
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn command(&self, args: &[&str], folders: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-ingest"));
        command.arg("--json").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        for folder in folders {
            let place = match *folder {
                "--zone" => "identified",
                "--receiver" => "worker/receiving.pub",
                _ => "datasets",
            };
            command.arg(folder).arg(self.at(place));
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str], folders: &[&str]) -> Output {
        self.command(args, folders).output().unwrap()
    }

    /// Takes a source in. Where the words do not give a list of persons they say that there is
    /// none.
    pub(crate) fn take(&self, words: &[&str]) -> Output {
        self.taking(words).output().unwrap()
    }

    pub(crate) fn taking(&self, words: &[&str]) -> Command {
        let mut command = self.command(words, &["--zone", "--receiver", "--out"]);
        for list in ["notices", "optouts"] {
            if !words.contains(&format!("--{list}").as_str()) {
                command.arg(format!("--no-{list}"));
            }
        }
        command
    }

    pub(crate) fn lung(&self, extra: &[&str]) -> Output {
        let profile = format!("{REPOSITORY}/policies/profiles/lung.toml");
        let table = format!("lung={REPOSITORY}/tests/data/lung.csv");
        let args = ["csv", "--profile", &profile, "--table", &table];
        self.take(&[&args, extra].concat())
    }

    pub(crate) fn csv(&self, profile: &str, tables: &[&str]) -> Value {
        let mut args = vec!["csv", "--profile", profile];
        for table in tables {
            args.extend(["--table", table]);
        }
        let done = self.take(&args);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        serde_json::from_slice(&done.stderr).unwrap()
    }

    pub(crate) fn ehr(&self) -> Command {
        let args = ["generate-ehr", "--patients", "3000", "--seed", "5"];
        self.command(&args, &["--zone", "--receiver", "--out"])
    }

    /// What the worker opens data sets with.
    pub(crate) fn worker(&self) -> ReceivingKey {
        let vault = FileVault::open(&self.at("worker")).unwrap();
        ReceivingKey::open(&self.at("worker/receiving.key.sealed"), Arc::new(vault)).unwrap()
    }

    pub(crate) fn version(&self, name: &str) -> SealedVersion {
        let signer = VerifyingIdentity::load(&self.at("identified/ingest-verify.pem")).unwrap();
        SealedVersion::open(&self.at("datasets").join(name), &signer).unwrap()
    }
}

pub(crate) fn json(done: &Output) -> Value {
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap()
}

pub(crate) fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found
}

pub(crate) fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
