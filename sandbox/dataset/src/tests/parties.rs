//! Who can open what: ingest, worker and gateway each hold other keys.

use sekisho_vault::{
    Context, FileVault, Key, KeyUnwrapper, KeyWrapper as _, ReceivingKey, ReceivingPublic,
    WrappedKey,
};

use super::*;

/// A vault and a receiving key of its own, which is all that a process can bring along.
struct Party {
    vault: Arc<FileVault>,
    receiving: ReceivingKey,
}

impl Party {
    fn new(folder: &Path) -> Self {
        let vault = Arc::new(FileVault::create(folder).unwrap());
        let (file, public) = (folder.join("receiving.key.sealed"), folder.join("receiving.pub"));
        let receiving = ReceivingKey::create(&file, &public, vault.clone()).unwrap();
        Self { vault, receiving }
    }

    fn unwrappers(&self) -> [&dyn KeyUnwrapper; 2] {
        [&*self.vault, &self.receiving]
    }

    fn opens_version(&self, version: &SealedVersion) -> bool {
        let grant = Grant::of(&[("people", &["age"])]);
        self.unwrappers().iter().any(|held| version.unwrap_granted(*held, &grant).is_ok())
    }

    fn opens(&self, context: &Context, wrapped: &WrappedKey) -> bool {
        self.unwrappers().iter().any(|held| held.unwrap(context, wrapped).is_ok())
    }
}

/// The version, and the keys that are left in ingest's memory.
fn sealed_by_ingest(root: &Path, receiver: &Path) -> (GrantedKeys, SealedVersion) {
    let receiver = ReceivingPublic::load(receiver).unwrap();
    let identity = SigningIdentity::generate().unwrap();
    let mut writer = SealedWriter::create(root, &profile(), &SealOptions::default()).unwrap();
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    let sealed = writer.seal(Provenance::default(), &receiver, &identity, &mut |_, _| {});
    let sealed = sealed.unwrap();
    let patient_keys = sealed.patient_keys().clone();
    let sealed = sealed.publish().unwrap();
    let version = SealedVersion::open(&sealed.folder, &identity.verifying()).unwrap();
    (patient_keys, version)
}

const MATRIX: &str = "
         data set  receiving key  project key
ingest   no        no             no
worker   yes       yes            no
gateway  no        no             yes
";

#[test]
fn zn_2_ingest_worker_and_gateway_open_different_keys_only() {
    let dir = tempfile::tempdir().unwrap();
    let party = |name: &str| (name.to_owned(), Party::new(&dir.path().join(name)));
    let parties = ["ingest", "worker", "gateway"].map(party);
    let (_, version) =
        sealed_by_ingest(&dir.path().join("datasets"), &dir.path().join("worker/receiving.pub"));
    let sealed = std::fs::read_to_string(dir.path().join("worker/receiving.key.sealed")).unwrap();
    let sealed = WrappedKey::try_from(sealed.trim_end().to_owned()).unwrap();
    let private_half = Context::new("sekisho.receiving.private-half");
    let project = Context::new("gateway-key").text("project");
    let gateway = &parties[2].1.vault;
    let project_key = gateway.wrap(&project, &Key::generate().unwrap()).unwrap();

    let yes = |opens: bool| if opens { "yes" } else { "no" };
    let mut matrix = String::from("\n         data set  receiving key  project key\n");
    for (name, party) in &parties {
        matrix.push_str(&format!(
            "{name:9}{:10}{:15}{}\n",
            yes(party.opens_version(&version)),
            yes(party.opens(&private_half, &sealed)),
            yes(party.opens(&project, &project_key)),
        ));
    }
    assert_eq!(matrix, MATRIX);
}

#[test]
fn op_1_who_seals_can_read_back_the_patients_of_that_version_alone() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Party::new(&dir.path().join("worker"));
    let receiver = dir.path().join("worker/receiving.pub");
    let (patient_keys, version) = sealed_by_ingest(&dir.path().join("datasets"), &receiver);
    let opened = version.open_table(&patient_keys, "people", FileCheck::Size).unwrap();
    let patients = read_table(&opened, &["patient"]).unwrap();
    let grant = Grant::of(&[("people", &[])]);
    let keys = version.unwrap_granted(&worker.receiving, &grant).unwrap();
    let again = version.open_table(&keys, "people", FileCheck::Size).unwrap();
    assert_eq!(patients, read_table(&again, &["patient"]).unwrap());
    assert_eq!(read_table(&opened, &["age"]).unwrap_err().code(), "dataset.not_granted");
    let (_, next) = sealed_by_ingest(&dir.path().join("datasets"), &receiver);
    let error = next.open_table(&patient_keys, "people", FileCheck::Size).unwrap_err();
    assert_eq!(error.code(), "dataset.not_granted");
}
