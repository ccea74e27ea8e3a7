use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::private::io;
use crate::{
    Exhausted, Generation, GenerationStatus, MOST_USES, UseRecord, VaultError, create_private_file,
    read_private_file, replace_private_file,
};

/// Uses written down ahead of time, at most: what a killed process may waste.
const BATCH: u64 = 256;
const LOCK: &str = ".lock";
const FORMAT: &str = "sekisho-uses-v1";

/// Age and uses of a vault's generations, each in `root-<generation>.uses` of one folder
/// (0600) that every process with the vault shares.
///
/// A use is on disk before it happens: processes write down a batch and then spend it from
/// memory. A kill wastes the rest of a batch, it never loses a use.
#[derive(Debug)]
pub(crate) struct UseCounters {
    folder: PathBuf,
    /// What this process may still spend, with the date that its right to do so hangs on.
    reserved: Mutex<BTreeMap<Generation, UseRecord>>,
}

impl UseCounters {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), reserved: Mutex::default() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps other processes from changing the vault; until the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, VaultError> {
        let path = self.folder.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|source| io(&path, "creating the file", source))?;
        file.lock().map_err(|source| io(&path, "locking", source))?;
        Ok(file)
    }

    /// Starts the record of a new generation. The caller holds the lock.
    pub(crate) fn begin(&self, generation: Generation) -> Result<(), VaultError> {
        let record = UseRecord { created_at: SystemTime::now(), uses: 0 };
        create_private_file(&self.path(generation), &text(&record))
    }

    /// Every generation that has ever had a record here, whether its key is left or not.
    pub(crate) fn recorded(&self) -> Result<Vec<Generation>, VaultError> {
        generations_in(&self.folder, ".uses")
    }

    /// Takes one use, or says why the generation has none left.
    pub(crate) fn spend(&self, generation: Generation) -> Result<(), VaultError> {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match reserved.get_mut(&generation) {
            Some(held) if held.uses > 0 => held,
            _ => {
                let batch = self.reserve(generation)?;
                reserved.entry(generation).insert_entry(batch).into_mut()
            }
        };
        let own = UseRecord { uses: 0, ..*held };
        if let Some(why) = own.exhausted(SystemTime::now()) {
            return Err(VaultError::RotateFirst { generation, why });
        }
        held.uses -= 1;
        Ok(())
    }

    /// Age and uses as written down; `None` when nobody can tell.
    pub(crate) fn record(&self, generation: Generation) -> Option<UseRecord> {
        parse(&read_private_file(&self.path(generation)).ok()?)
    }

    /// What a vault tells of one of its generations.
    pub(crate) fn status(&self, generation: Generation, current: Generation) -> GenerationStatus {
        let record = self.record(generation);
        let exhausted = match &record {
            Some(record) => record.exhausted(SystemTime::now()),
            None => Some(Exhausted::Unrecorded),
        };
        GenerationStatus { generation, current: generation == current, record, exhausted }
    }

    fn reserve(&self, generation: Generation) -> Result<UseRecord, VaultError> {
        let exhausted = |why| VaultError::RotateFirst { generation, why };
        let _lock = self.lock()?;
        let record = self.record(generation).ok_or(exhausted(Exhausted::Unrecorded))?;
        if let Some(why) = record.exhausted(SystemTime::now()) {
            return Err(exhausted(why));
        }
        let batch = BATCH.min(MOST_USES - record.uses);
        let after = UseRecord { uses: record.uses + batch, ..record };
        replace_private_file(&self.path(generation), &text(&after))?;
        Ok(UseRecord { uses: batch, ..record })
    }

    fn path(&self, generation: Generation) -> PathBuf {
        self.folder.join(format!("root-{generation}.uses"))
    }
}

/// The generations with a file `root-<generation><ending>` in a folder, lowest first.
pub(crate) fn generations_in(folder: &Path, ending: &str) -> Result<Vec<Generation>, VaultError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| io(folder, "listing", source))? {
        let name = entry.map_err(|source| io(folder, "listing", source))?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("root-")?.strip_suffix(ending));
        found.extend(number.and_then(Generation::parse));
    }
    found.sort_unstable();
    Ok(found)
}

fn text(record: &UseRecord) -> Vec<u8> {
    let created = record.created_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{FORMAT} created {created} uses {}\n", record.uses).into_bytes()
}

fn parse(bytes: &[u8]) -> Option<UseRecord> {
    let words: Vec<&str> = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace().collect();
    let [FORMAT, "created", created, "uses", uses] = words.as_slice() else { return None };
    let created_at = UNIX_EPOCH.checked_add(Duration::from_secs(created.parse().ok()?))?;
    Some(UseRecord { created_at, uses: uses.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(dir: &tempfile::TempDir) -> UseCounters {
        UseCounters::new(dir.path())
    }

    fn uses(counters: &UseCounters) -> u64 {
        counters.record(Generation::FIRST).unwrap().uses
    }

    #[test]
    fn a_process_that_dies_has_never_used_more_than_is_written() {
        let dir = tempfile::tempdir().unwrap();
        counters(&dir).begin(Generation::FIRST).unwrap();
        let mut spent = 0;
        for uses_before_death in [1, 2, BATCH, BATCH + 1] {
            let process = counters(&dir);
            for _ in 0..uses_before_death {
                process.spend(Generation::FIRST).unwrap();
                spent += 1;
                assert!(uses(&process) >= spent);
            }
        }
        assert_eq!(uses(&counters(&dir)), 5 * BATCH, "whole batches, no more");
    }

    #[test]
    fn processes_at_the_same_time_share_one_count() {
        let dir = tempfile::tempdir().unwrap();
        counters(&dir).begin(Generation::FIRST).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let process = counters(&dir);
                    (0..2 * BATCH).for_each(|_| process.spend(Generation::FIRST).unwrap());
                });
            }
        });
        assert_eq!(uses(&counters(&dir)), 8 * BATCH);
    }

    #[test]
    fn the_last_uses_can_be_spent_and_none_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let counters = counters(&dir);
        let record = UseRecord { created_at: SystemTime::now(), uses: MOST_USES - 3 };
        create_private_file(&counters.path(Generation::FIRST), &text(&record)).unwrap();
        (0..3).for_each(|_| counters.spend(Generation::FIRST).unwrap());
        assert_eq!(uses(&counters), MOST_USES);
        let error = counters.spend(Generation::FIRST).unwrap_err();
        assert!(matches!(error, VaultError::RotateFirst { why: Exhausted::Uses, .. }));
    }

    #[test]
    fn records_are_read_back_or_not_at_all() {
        let record = UseRecord { created_at: UNIX_EPOCH + Duration::from_secs(7), uses: 12 };
        assert_eq!(parse(&text(&record)), Some(record));
        for bad in ["", "sekisho-uses-v1 created 7 uses", "sekisho-uses-v2 created 7 uses 1", "x"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
