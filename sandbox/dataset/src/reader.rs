//! Opens sealed versions: first the signature, then the granted keys, then table by table.

mod footer;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sekisho_vault::{KeyUnwrapper, VaultError, VerifyingIdentity, WrappedKey};
use sha2::{Digest as _, Sha256};

use crate::grant::TableKeys;
use crate::layout::{self, Place};
use crate::manifest::{KEYS_FORMAT, KeyFile, MANIFEST_FORMAT};
use crate::{CatalogueEntry, DatasetError, FileEntry, Grant, GrantedKeys, Manifest, Profile};

pub use table::{OpenFile, OpenTable, read_batches, read_table};

/// No manifest, profile or key file is larger; stops reading what cannot be ours.
const MAX_SMALL_FILE: u64 = 64 * 1024 * 1024;

/// How closely a table's files are checked when it is opened. Either way every byte read
/// later is authenticated by AES-GCM under keys bound to this very file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCheck {
    /// Size and SHA-256 of every file: also finds damage in columns that are not granted.
    Sha256,
    /// Size only.
    Size,
}

/// A version whose manifest carries a good signature. No data file is read yet.
#[derive(Clone, Debug)]
pub struct SealedVersion {
    pub(crate) folder: PathBuf,
    pub(crate) place: Place,
    manifest: Manifest,
    manifest_sha256: String,
    profile: Profile,
}

impl SealedVersion {
    /// Opens `<root>/<data set>/<version>`: verifies the signature of the manifest, that
    /// the folder stands under the names it was signed for, and the profile's hash.
    pub fn open(folder: &Path, signer: &VerifyingIdentity) -> Result<Self, DatasetError> {
        let version = Self::read(folder, signer)?;
        check_place(folder, &version.manifest)?;
        Ok(version)
    }

    /// The same wherever the folder stands: one being sealed has no name yet.
    pub(crate) fn read(folder: &Path, signer: &VerifyingIdentity) -> Result<Self, DatasetError> {
        let bytes = read_small(folder, layout::MANIFEST)?;
        let signature = read_small(folder, layout::SIGNATURE)?;
        let signature = hex::decode(signature.trim_ascii()).unwrap_or_default();
        signer
            .verify(layout::MANIFEST_LABEL, &bytes, &signature)
            .map_err(|_| DatasetError::tampered(layout::MANIFEST, "the signature does not fit"))?;
        let manifest: Manifest = parse_json(layout::MANIFEST, &bytes)?;
        if manifest.format != MANIFEST_FORMAT {
            return Err(DatasetError::tampered(layout::MANIFEST, "unknown format"));
        }
        let profile = read_small(folder, layout::PROFILE)?;
        check_entry(layout::PROFILE, &manifest.profile, &profile)?;
        let profile = String::from_utf8(profile)
            .map_err(|_| DatasetError::tampered(layout::PROFILE, "not UTF-8"))?;
        Ok(Self {
            folder: folder.to_owned(),
            place: Place { dataset: manifest.dataset.clone(), version: manifest.version.clone() },
            manifest_sha256: hex::encode(Sha256::digest(&bytes)),
            manifest,
            profile: Profile::parse(&profile)?,
        })
    }

    /// What was signed.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest's bytes, in hexadecimal: names exactly this version.
    #[must_use]
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The profile it was sealed under.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The version's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What users may see of it.
    #[must_use]
    pub fn catalogue_entry(&self) -> CatalogueEntry {
        CatalogueEntry::new(&self.manifest, &self.manifest_sha256, &self.profile)
    }

    /// Unwraps the keys of exactly the granted columns. A table or column the version does
    /// not have is an error, never a narrower grant.
    pub fn unwrap_granted(
        &self,
        unwrapper: &dyn KeyUnwrapper,
        grant: &Grant,
    ) -> Result<GrantedKeys, DatasetError> {
        let bytes = read_small(&self.folder, layout::KEYS)?;
        check_entry(layout::KEYS, &self.manifest.keys, &bytes)?;
        let file: KeyFile = parse_json(layout::KEYS, &bytes)?;
        if file.format != KEYS_FORMAT {
            return Err(DatasetError::tampered(layout::KEYS, "unknown format"));
        }
        let mut tables = BTreeMap::new();
        for (name, columns) in &grant.tables {
            let keys = self.table_keys(unwrapper, &file, name, columns)?;
            tables.insert(name.clone(), keys);
        }
        Ok(GrantedKeys { place: self.place.clone(), tables })
    }

    /// Opens one granted table and checks its files.
    pub fn open_table(
        &self,
        keys: &GrantedKeys,
        table: &str,
        check: FileCheck,
    ) -> Result<OpenTable, DatasetError> {
        OpenTable::open(self, keys, table, check)
    }

    /// Checks size and SHA-256 of every file the manifest lists, and that there is no other.
    pub fn verify_files(&self) -> Result<(), DatasetError> {
        let listed = self.listed_files();
        for (path, entry) in &listed {
            check_file(&self.folder, path, entry, FileCheck::Sha256)?;
        }
        for path in found_files(&self.folder)? {
            let known = path == layout::MANIFEST || path == layout::SIGNATURE;
            if !known && !listed.contains_key(&path) {
                return Err(DatasetError::tampered(&path, "the manifest does not list it"));
            }
        }
        Ok(())
    }

    fn listed_files(&self) -> BTreeMap<String, &FileEntry> {
        let mut listed = BTreeMap::new();
        listed.insert(layout::PROFILE.to_owned(), &self.manifest.profile);
        listed.insert(layout::KEYS.to_owned(), &self.manifest.keys);
        for table in &self.manifest.tables {
            listed.extend(table.listed_files());
        }
        listed
    }

    fn table_keys(
        &self,
        unwrapper: &dyn KeyUnwrapper,
        file: &KeyFile,
        table: &str,
        columns: &BTreeSet<String>,
    ) -> Result<TableKeys, DatasetError> {
        let unknown = |what: String| DatasetError::Unknown(what);
        let listed = self.manifest.table(table);
        let listed = listed.ok_or_else(|| unknown(format!("table {table}")))?;
        let wrapped = file.tables.get(table).ok_or_else(|| unknown(format!("table {table}")))?;
        let table_key = unwrapper
            .unwrap(&self.place.table_key(table), &wrapped.table_key)
            .map_err(sealed(&format!("the key of table {table}")))?;
        let open = |context, key: &WrappedKey, what: String| {
            sekisho_vault::unwrap(&table_key, &context, key).map_err(sealed(&what))
        };
        let mut keys = BTreeMap::new();
        let patient = listed.patient_column();
        for column in columns.iter().map(String::as_str).chain([patient]) {
            let what = format!("column {table}.{column}");
            let key = wrapped.columns.get(column).filter(|_| listed.column(column).is_some());
            let key = key.ok_or_else(|| unknown(what.clone()))?;
            keys.insert(column.to_owned(), open(self.place.column_key(table, column), key, what)?);
        }
        let what = format!("the footer key of {table}");
        Ok(TableKeys {
            footer: open(self.place.footer_key(table), &wrapped.footer, what)?,
            columns: keys,
        })
    }
}

/// The number of buckets of versions that are read together: one person's rows meet only
/// where tokens are made in one id space and split alike (LK-2), and only where the dates of
/// one do not undo the date shift of another (DP-4).
///
/// # Errors
/// [`DatasetError::Unjoinable`] when they are not; also when there is no version.
pub fn common_buckets(versions: &[SealedVersion]) -> Result<u32, DatasetError> {
    let Some((first, others)) = versions.split_first() else {
        return Err(DatasetError::Unjoinable("there is no version"));
    };
    for other in others {
        if other.profile.id_space != first.profile.id_space {
            return Err(DatasetError::Unjoinable(
                "their persons have tokens of different id spaces",
            ));
        }
        if other.manifest.buckets != first.manifest.buckets {
            return Err(DatasetError::Unjoinable("they have different numbers of buckets"));
        }
    }
    for (index, one) in versions.iter().enumerate() {
        let mut others = versions.iter().skip(index + 1);
        if others.any(|other| one.profile.undoes_shift_of(&other.profile)) {
            let reason = "the days of one would tell by how many the other moves a person's dates";
            return Err(DatasetError::Unjoinable(reason));
        }
    }
    Ok(first.manifest.buckets)
}

/// A version copied or renamed to another place is refused: runs are granted by name.
fn check_place(folder: &Path, manifest: &Manifest) -> Result<(), DatasetError> {
    let folder = fs::canonicalize(folder).map_err(DatasetError::io(folder, "looking up"))?;
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned())
    };
    let version = name(Some(&folder));
    let dataset = name(folder.parent());
    if version.as_deref() == Some(&manifest.version)
        && dataset.as_deref() == Some(&manifest.dataset)
    {
        return Ok(());
    }
    let reason = format!("signed for {}/{}", manifest.dataset, manifest.version);
    Err(DatasetError::tampered(layout::MANIFEST, reason))
}

pub(crate) fn check_file(
    folder: &Path,
    path: &str,
    entry: &FileEntry,
    check: FileCheck,
) -> Result<(), DatasetError> {
    let full = folder.join(path);
    let found = match fs::symlink_metadata(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DatasetError::tampered(path, "the file is missing"));
        }
        found => found.map_err(DatasetError::io(&full, "looking up"))?,
    };
    if !found.is_file() {
        return Err(DatasetError::tampered(path, "not a plain file"));
    }
    if found.len() != entry.bytes {
        let reason = format!("{} bytes, signed were {}", found.len(), entry.bytes);
        return Err(DatasetError::tampered(path, reason));
    }
    if check == FileCheck::Size {
        return Ok(());
    }
    let mut hash = Sha256::new();
    let mut file = File::open(&full).map_err(DatasetError::io(&full, "opening"))?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(DatasetError::io(&full, "reading"))?;
        match buffer.get(..read) {
            Some(chunk) if read > 0 => hash.update(chunk),
            _ => break,
        }
    }
    check_hash(path, entry, &hex::encode(hash.finalize()))
}

pub(crate) fn read_small(folder: &Path, path: &str) -> Result<Vec<u8>, DatasetError> {
    read_up_to(folder, path, MAX_SMALL_FILE)
}

/// Reads a file of a version that has at most so many bytes.
fn read_up_to(folder: &Path, path: &str, most: u64) -> Result<Vec<u8>, DatasetError> {
    let full = folder.join(path);
    let file = match File::open(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DatasetError::tampered(path, "the file is missing"));
        }
        file => file.map_err(DatasetError::io(&full, "opening"))?,
    };
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    if read.map_err(DatasetError::io(&full, "reading"))? as u64 > most {
        return Err(DatasetError::tampered(path, "too large"));
    }
    Ok(bytes)
}

pub(crate) fn check_entry(path: &str, entry: &FileEntry, bytes: &[u8]) -> Result<(), DatasetError> {
    check_hash(path, entry, &hex::encode(Sha256::digest(bytes)))
}

fn check_hash(path: &str, entry: &FileEntry, found: &str) -> Result<(), DatasetError> {
    if entry.sha256 == found {
        return Ok(());
    }
    Err(DatasetError::tampered(path, "the SHA-256 differs from the signed one"))
}

fn parse_json<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, DatasetError> {
    serde_json::from_slice(bytes).map_err(|error| DatasetError::tampered(path, error.to_string()))
}

pub(crate) fn sealed(what: &str) -> impl FnOnce(VaultError) -> DatasetError {
    let what = what.to_owned();
    move |source| DatasetError::Sealed { what, source }
}

/// Paths of all files in a version's folder, which has one level of folders.
pub(crate) fn found_files(folder: &Path) -> Result<Vec<String>, DatasetError> {
    let mut found = Vec::new();
    let mut waiting = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&path).map_err(DatasetError::io(&path, "listing"))? {
            let entry = entry.map_err(DatasetError::io(&path, "listing"))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(DatasetError::io(&path, "listing"))?;
            if kind.is_dir() {
                waiting.push((entry.path(), format!("{name}/")));
            } else {
                found.push(name);
            }
        }
    }
    Ok(found)
}
