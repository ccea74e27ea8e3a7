use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use sekisho_dataset::Profile;
use sekisho_deployment::{Deployment, Holds};
use sekisho_vault::{
    FileVault, Key, ReceivingKey, SigningIdentity, VaultError, create_private_dir,
};

use crate::intake::{IdSpaces, Register, id_parts};
use crate::process::normalised_id;
use crate::reidentify;
use crate::rejects::{self, RejectedRow, Rejects, RejectsMark};
use crate::{Deletions, IngestError, PatientTokens, Pseudonyms};

const SECRET: &str = "pseudonym.key";
/// Seals what the zone keeps for itself: rejected rows, deletion requests.
const SEALING: &str = "zone-sealing.key";
const SIGNING: &str = "ingest-signing.pem";
const VERIFYING: &str = "ingest-verify.pem";
/// Seals the private half of the key that tokens are sealed for (RI-2).
const VAULT: &str = "vault";
const RECEIVING: &str = "receiving.key.sealed";
const RECEIVING_PUBLIC: &str = "receiving.pub";

/// The identified zone's folder: the secret of the tokens and the identity that signs
/// manifests. Closed to everyone but its owner.
#[derive(Debug)]
pub struct IdentifiedZone {
    secret: Key,
    sealing: Key,
    identity: SigningIdentity,
    folder: PathBuf,
}

impl IdentifiedZone {
    /// Makes what is missing in a zone's folder; secrets that exist are kept. Also writes
    /// the public half of the identity, which workers verify manifests with. `today` is as for
    /// [`open`](Self::open).
    pub fn init(folder: &Path, today: Date) -> Result<Self, IngestError> {
        if let Some(parent) = folder.parent() {
            let made = fs::create_dir_all(parent);
            made.map_err(|source| io(parent, "creating the folder", source))?;
        }
        create_private_dir(folder)?;
        let key = folder.join(SEALING);
        if !exists(&key) {
            Key::generate()?.save(&key)?;
        }
        // The secret comes after the register: where it is, a register that is missing was lost.
        if !exists(&folder.join(SECRET)) {
            if !Deletions::exists(folder) {
                Deletions::create(folder, &Key::load(&key)?)?;
            }
            Key::generate()?.save(&folder.join(SECRET))?;
        }
        if !exists(&folder.join(SIGNING)) {
            SigningIdentity::generate()?.save(&folder.join(SIGNING))?;
        }
        if !exists(&folder.join(VAULT)) {
            let vault = Arc::new(FileVault::create(&folder.join(VAULT))?);
            let (private, public) = (folder.join(RECEIVING), folder.join(RECEIVING_PUBLIC));
            ReceivingKey::create(&private, &public, vault)?;
        }
        let record = folder.join(sekisho_deployment::FILE);
        if !exists(&record) {
            let written = fs::write(&record, sekisho_deployment::OWN_PREMISES);
            written.map_err(|source| io(&record, "writing", source))?;
        }
        let zone = Self::open(folder, today)?;
        let public = folder.join(VERIFYING);
        fs::write(&public, zone.identity.verifying().to_pem()?)
            .map_err(|source| io(&public, "writing", source))?;
        Ok(zone)
    }

    /// Opens an existing zone, refusing secrets that others could read, and a zone on machines
    /// that its deployment record does not cover `today` (CL-1, CL-2), a day in Japan.
    pub fn open(folder: &Path, today: Date) -> Result<Self, IngestError> {
        // Also checks the folder's permissions; it exists in any zone that was made.
        if !exists(folder) {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(io(folder, "opening the zone", source));
        }
        create_private_dir(folder)?;
        Deployment::open(&folder.join(sekisho_deployment::FILE), Holds::MedicalInformation, today)?;
        Ok(Self {
            secret: Key::load(&folder.join(SECRET))?,
            sealing: Key::load(&folder.join(SEALING))?,
            identity: SigningIdentity::load(&folder.join(SIGNING))?,
            folder: folder.to_owned(),
        })
    }

    /// Tokens of one id space under this zone's secret.
    #[must_use]
    pub fn tokens(&self, id_space: &str) -> PatientTokens {
        PatientTokens::new(self.secret.clone(), id_space)
    }

    /// Makes an empty register of deletion requests, for a zone that never had one.
    ///
    /// # Errors
    /// [`IngestError::Vault`] when there is one, which is kept.
    pub fn create_register(&self) -> Result<(), IngestError> {
        Deletions::create(&self.folder, &self.sealing)
    }

    /// The register of deletion requests (OP-2).
    ///
    /// # Errors
    /// [`IngestError::RegisterMissing`].
    pub fn deletions(&self) -> Result<Deletions, IngestError> {
        Deletions::open(&self.folder, &self.sealing)
    }

    /// The same under its lock.
    pub(crate) fn register(&self) -> Result<Register, IngestError> {
        Register::lock(&self.folder, self.sealing.clone())
    }

    /// The id spaces that sources were taken in under.
    pub(crate) fn id_spaces(&self) -> IdSpaces {
        IdSpaces::of(&self.folder)
    }

    /// Refuses an id space that no source was taken in under: a request under a name that was
    /// mistyped would never take effect.
    ///
    /// # Errors
    /// [`IngestError::UnknownIdSpace`].
    pub fn check_id_space(&self, id_space: &str) -> Result<(), IngestError> {
        let known = self.id_spaces().known()?;
        if known.contains_key(id_space) {
            return Ok(());
        }
        let id_space = id_space.to_owned();
        Err(IngestError::UnknownIdSpace { id_space, known: known.into_keys().collect() })
    }

    /// Refuses an id of another number of parts than those of its id space have: a request for
    /// it would never take effect. A profile says how many that are; without one, the sources
    /// that were taken in, and where they are not known nothing is refused.
    ///
    /// # Errors
    /// [`IngestError::IdParts`].
    pub fn check_id_parts(
        &self,
        id_space: &str,
        profile: Option<&Profile>,
        parts: usize,
    ) -> Result<(), IngestError> {
        let wanted: BTreeSet<usize> = match profile {
            Some(profile) => id_parts(profile),
            None => self.id_spaces().known()?.remove(id_space).unwrap_or_default(),
        };
        if wanted.is_empty() || wanted.contains(&parts) {
            return Ok(());
        }
        let (id_space, wanted) = (id_space.to_owned(), wanted.into_iter().collect());
        Err(IngestError::IdParts { id_space, wanted, found: parts })
    }

    /// Records a deletion request for the person whose id has these parts.
    pub fn record_deletion(
        &self,
        id_space: &str,
        parts: &[&str],
        reference: &str,
        received_on: Date,
    ) -> Result<(), IngestError> {
        let id = normalised_id(parts).ok_or(IngestError::NoId)?;
        let names = Pseudonyms::new(self.secret.clone(), id_space);
        self.register()?.add(&names, &id, reference, &received_on.to_string())
    }

    /// Opens a reject file of this zone.
    pub fn rejected(&self, file: &Path) -> Result<Vec<RejectedRow>, IngestError> {
        rejects::show(file, &self.sealing)
    }

    pub(crate) fn rejects(&self, dataset: &str, version: &str) -> Result<Rejects, IngestError> {
        Rejects::create(&self.folder, self.sealing.clone(), dataset, version)
    }

    pub(crate) fn finished_rejects(&self, mark: &RejectsMark) -> Option<PathBuf> {
        rejects::of_version(&self.folder, mark)
    }

    pub(crate) fn remove_unfinished_rejects(&self, dataset: &str) -> Result<(), IngestError> {
        rejects::remove_unfinished(&self.folder, dataset)
    }

    pub(crate) fn go_on_with_rejects(
        &self,
        dataset: &str,
        mark: &RejectsMark,
    ) -> Result<Rejects, IngestError> {
        Rejects::go_on(&self.folder, self.sealing.clone(), dataset, mark)
    }

    /// Opens the ids that an answered inquiry left in this zone.
    pub fn reidentified(&self, file: &Path) -> Result<Vec<String>, IngestError> {
        reidentify::kept_ids(self, file)
    }

    /// The key that tokens for a regulator's inquiry are sealed for.
    pub(crate) fn receiving(&self) -> Result<ReceivingKey, IngestError> {
        let vault = Arc::new(FileVault::open(&self.folder.join(VAULT))?);
        Ok(ReceivingKey::open(&self.folder.join(RECEIVING), vault)?)
    }

    /// Seals what the zone keeps for itself.
    pub(crate) fn sealing(&self) -> &Key {
        &self.sealing
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The public half of the receiving key, to be copied to the workers.
    #[must_use]
    pub fn receiving_file(&self) -> PathBuf {
        self.folder.join(RECEIVING_PUBLIC)
    }

    /// The identity that signs manifests.
    #[must_use]
    pub fn identity(&self) -> &SigningIdentity {
        &self.identity
    }

    /// The PEM file of the identity's public half, to be copied to the workers.
    #[must_use]
    pub fn verifying_file(&self) -> PathBuf {
        self.folder.join(VERIFYING)
    }
}

/// Requirement ZN-2: folders of different zones lie apart, none inside another. Folders
/// that do not exist yet are compared by the path they will have.
pub fn check_apart(folders: &[&Path]) -> Result<(), IngestError> {
    let mut real = Vec::new();
    for folder in folders {
        real.push((*folder, resolve(folder)?));
    }
    for (index, (one, one_real)) in real.iter().enumerate() {
        for (other, other_real) in real.iter().skip(index + 1) {
            if one_real.starts_with(other_real) || other_real.starts_with(one_real) {
                let (one, other) = (one.to_path_buf(), other.to_path_buf());
                return Err(IngestError::ZonesOverlap { one, other });
            }
        }
    }
    Ok(())
}

/// The path with links and dots resolved, step by step: as far as it exists on disk, beyond
/// that by its text.
fn resolve(path: &Path) -> Result<PathBuf, IngestError> {
    let absolute = std::path::absolute(path).map_err(|source| io(path, "looking up", source))?;
    let mut real = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            other => real.push(other),
        }
        if exists(&real) {
            real = fs::canonicalize(&real).map_err(|source| io(&real, "looking up", source))?;
        }
    }
    Ok(real)
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn io(path: &Path, doing: &'static str, source: std::io::Error) -> IngestError {
    IngestError::Vault(VaultError::Io { path: path.to_owned(), doing, source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 11, 28);

    #[test]
    fn init_keeps_what_exists() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("site/identified");
        let first = IdentifiedZone::init(&folder, TODAY).unwrap();
        let again = IdentifiedZone::init(&folder, TODAY).unwrap();
        assert_eq!(first.identity().verifying(), again.identity().verifying());
        let token = |zone: &IdentifiedZone| zone.tokens("site").token(b"P1").unwrap();
        assert_eq!(token(&first), token(&again));
    }

    #[test]
    fn lax_secrets_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("identified");
        IdentifiedZone::init(&folder, TODAY).unwrap();
        for name in [SECRET, SIGNING] {
            let path = folder.join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let error = IdentifiedZone::open(&folder, TODAY).unwrap_err();
            assert_eq!(error.code(), "vault.lax_permissions");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(
            IdentifiedZone::open(&folder, TODAY).unwrap_err().code(),
            "vault.lax_permissions"
        );
    }

    #[test]
    fn cl_1_a_zone_on_a_cloud_service_with_procedure_a_alone_does_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("zone");
        IdentifiedZone::init(&folder, TODAY).unwrap();
        let record = "place = \"cloud\"\nservice = \"Example Cloud\"\n[ismap]\nnumber = \
                      \"C21-0000-2\"\nvalid_until = \"9999-12-31\"\n";
        fs::write(folder.join(sekisho_deployment::FILE), record).unwrap();
        let error = IdentifiedZone::open(&folder, TODAY).unwrap_err();
        assert_eq!(error.code(), "deployment.procedure_b");
        assert!(IdentifiedZone::init(&folder, TODAY).is_err(), "init does not write over it");
    }

    #[test]
    fn zn_2_zones_that_share_a_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("identified")).unwrap();
        symlink(at("identified"), at("link")).unwrap();
        check_apart(&[&at("identified"), &at("vault"), &at("datasets")]).unwrap();
        check_apart(&[&at("identified"), &at("identified2")]).unwrap();
        for other in
            ["identified", "identified/vault", ".", "link", "link/deep/er", "x/../identified"]
        {
            let error = check_apart(&[&at("identified"), &at(other)]).unwrap_err();
            assert_eq!(error.code(), "ingest.zones_overlap", "{other}");
        }
    }

    #[test]
    fn cl_2_a_zone_opens_to_the_last_day_of_its_record_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("zone");
        IdentifiedZone::init(&folder, TODAY).unwrap();
        let record = "place = \"cloud\"\nservice = \"Example Cloud\"\ntemporary = true\n\
                      [ismap]\nnumber = \"C21-0000-2\"\nvalid_until = \"2026-11-28\"\n";
        fs::write(folder.join(sekisho_deployment::FILE), record).unwrap();
        IdentifiedZone::open(&folder, TODAY).unwrap();
        let late = IdentifiedZone::open(&folder, date(2026, 11, 29)).unwrap_err();
        assert_eq!(late.code(), "deployment.expired");
    }
}
