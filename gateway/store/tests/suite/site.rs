//! A site as the cases see it: a store with its log, people with sessions, and the real
//! policies between them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use sekisho_access::{
    Action, ActiveSession, Authorizer, Caller, Permit, PolicyEngine, SessionRecord, StepUps, Who,
    action::RegisterPerson, linkage::LinkageMatrix, resource::Site as TheSite,
};
use sekisho_audit::{Actor, Checkpoint, CheckpointSigner, Event, EventKind, MerkleLog};
use sekisho_domain::{
    BiometricLevel, Organisation, OrganisationId, OrganisationKind, Person, PersonId, RequestId,
    Role, SessionId, Timestamp, WorkerId,
};
use sekisho_store::{
    Committed, Store, StoreConfig, StoreError,
    people::{CredentialRecord, CredentialUse, Invitation},
};
use sekisho_vault::FileVault;
use sqlx::{AnyConnection, Connection, Row};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::cluster::Cluster;

/// When every case begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ORIGIN: &str = "gateway.example/log";

/// Somebody with a session.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) person: Person,
    pub(crate) session_id: SessionId,
    pub(crate) credential: CredentialRecord,
}

impl Login {
    /// As the log names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Person { person_id: self.person.person_id, session_id: self.session_id }
    }
}

struct Opened {
    store: Store,
    authorizer: Authorizer,
    tap: mpsc::UnboundedReceiver<Committed>,
    /// Entries there were.
    size: u64,
}

/// One site.
pub(crate) struct Site {
    /// Where its database is; a case may put something in between.
    pub(crate) url: String,
    /// Its database, reached directly.
    direct: String,
    /// Where the database keeps its files.
    pub(crate) database_files: PathBuf,
    /// The server's socket, when there is a server.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) folder: TempDir,
    vault: Arc<FileVault>,
    policies: Arc<PolicyEngine>,
    clock: AtomicI64,
    opened: Option<Opened>,
}

impl Site {
    pub(crate) async fn on_sqlite() -> Self {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("sekisho.db").display());
        let files = folder.path().to_owned();
        Self::make(url, files, None, folder).await
    }

    pub(crate) async fn on_postgres(cluster: &Cluster, case: &str) -> Self {
        // The longest name PostgreSQL takes has 63 letters.
        let name: String = case.replace("::", "_").chars().take(63).collect();
        cluster.create(&name).await;
        let folder = tempfile::tempdir().unwrap();
        Self::make(cluster.url(&name), cluster.data(), Some(cluster.socket()), folder).await
    }

    async fn make(
        url: String,
        database_files: PathBuf,
        socket: Option<PathBuf>,
        folder: TempDir,
    ) -> Self {
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        let mut site = Self {
            direct: url.clone(),
            url,
            database_files,
            socket,
            vault: Arc::new(FileVault::create(&folder.path().join("vault")).unwrap()),
            folder,
            policies: Arc::new(PolicyEngine::new().unwrap()),
            clock: AtomicI64::new(BEGINNING.millis()),
            opened: None,
        };
        site.open().await.unwrap();
        site
    }

    /// Opens the store again, or for the first time.
    pub(crate) async fn open(&mut self) -> Result<(), StoreError> {
        let (tap, receiver) = mpsc::unbounded_channel();
        let store = self.another(tap).await?;
        let authorizer = Authorizer::new(Arc::clone(&self.policies), Arc::new(store.clone()));
        let size = store.checkpoint_size().await?;
        self.opened = Some(Opened { store, authorizer, tap: receiver, size });
        Ok(())
    }

    /// Opens one more store on the same site.
    pub(crate) async fn another(
        &self,
        tap: mpsc::UnboundedSender<Committed>,
    ) -> Result<Store, StoreError> {
        Store::open(StoreConfig {
            database_url: &self.url,
            objects: &self.folder.path().join("objects"),
            vault: self.vault.clone(),
            linkage: LinkageMatrix::shipped().unwrap(),
            signer: signer(),
            tap,
        })
        .await
    }

    /// Lets go of the store.
    pub(crate) fn close(&mut self) {
        self.opened = None;
    }

    pub(crate) fn store(&self) -> Store {
        self.opened.as_ref().unwrap().store.clone()
    }

    pub(crate) fn authorizer(&self) -> &Authorizer {
        &self.opened.as_ref().unwrap().authorizer
    }

    /// The present, a little later every time, so that identifiers sort.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// A connection past the store.
    pub(crate) async fn raw(&self) -> AnyConnection {
        AnyConnection::connect(&self.direct).await.unwrap()
    }

    /// Founds the site; returns its first steward, logged in.
    pub(crate) async fn found(&self) -> Login {
        let producer = organisation(self.now(), OrganisationKind::Producer);
        let steward = person(self.now(), producer.organisation_id, &[Role::Steward]);
        let invitation = self.invitation(&steward);
        self.store()
            .found(producer, steward.clone(), invitation.clone(), self.now())
            .await
            .unwrap();
        self.enrol(steward, invitation).await
    }

    /// Puts somebody on the roster; returns them with their open invitation.
    pub(crate) async fn register(
        &self,
        steward: &Login,
        organisation_id: OrganisationId,
        roles: &[Role],
    ) -> (Person, Invitation) {
        let person = person(self.now(), organisation_id, roles);
        let invitation = self.invitation(&person);
        let permit = self.permit::<RegisterPerson>(steward, TheSite).await;
        self.store().register_person(permit, person.clone(), invitation.clone()).await.unwrap();
        (person, invitation)
    }

    /// Puts somebody on the roster and logs them in.
    pub(crate) async fn join(
        &self,
        steward: &Login,
        organisation_id: OrganisationId,
        roles: &[Role],
    ) -> Login {
        let (person, invitation) = self.register(steward, organisation_id, roles).await;
        self.enrol(person, invitation).await
    }

    async fn enrol(&self, person: Person, invitation: Invitation) -> Login {
        let credential = credential(&person, "authenticator", self.now());
        let actor = Actor::Anonymous { peer: None };
        let request_id = RequestId::new(self.now());
        self.store()
            .enrol_credential(invitation, credential.clone(), request_id, actor)
            .await
            .unwrap();
        let session_id = self.log_in(&person, &credential).await.unwrap();
        Login { person, session_id, credential }
    }

    /// Opens a session; the credential stays as it is.
    pub(crate) async fn log_in(
        &self,
        person: &Person,
        credential: &CredentialRecord,
    ) -> Result<SessionId, StoreError> {
        let now = self.now();
        let session = SessionRecord {
            session_id: SessionId::new(now),
            person_id: person.person_id,
            level: credential.level,
            credential_id: credential.credential_id.clone(),
            started_at: now,
            expires_at: now.plus_seconds(8 * 3600),
            ended_at: None,
        };
        let session_id = session.session_id;
        let used = CredentialUse { before: credential.clone(), after: credential.clone() };
        self.store().open_session(session, used, RequestId::new(now)).await?;
        Ok(session_id)
    }

    /// An invitation nobody was given yet.
    pub(crate) fn invitation(&self, person: &Person) -> Invitation {
        Invitation {
            code_sha256: format!("code of {}", person.person_id),
            person_id: person.person_id,
            expires_at: self.now().plus_seconds(3600),
        }
    }

    /// Somebody's call, admitted as every call is.
    pub(crate) async fn caller(&self, login: &Login) -> Caller {
        let (record, person) = self.store().session(login.session_id).await.unwrap();
        let at = self.now();
        let session = ActiveSession::admit(record, person, at).unwrap();
        self.call(Who::Person(Box::new(session)), at)
    }

    /// A worker's call.
    pub(crate) fn worker(&self, worker_id: WorkerId) -> Caller {
        self.call(Who::Worker(worker_id), self.now())
    }

    fn call(&self, who: Who, at: Timestamp) -> Caller {
        let peer = [127, 0, 0, 1].into();
        Caller { who, peer, request_id: RequestId::new(at), at }
    }

    /// A permit from the real policies, after its decision was recorded.
    pub(crate) async fn permit<A: Action>(
        &self,
        login: &Login,
        resource: A::Resource,
    ) -> Permit<A> {
        self.permit_to(&self.caller(login).await, resource).await
    }

    /// The same for a call at hand; a person's with a fresh assertion for it.
    pub(crate) async fn permit_to<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
    ) -> Permit<A> {
        let Some(session) = caller.session() else {
            return self.authorizer().authorize::<A>(caller, resource).await.unwrap();
        };
        let (session_id, decision) = (session.record().session_id, "00");
        let ceremonies = StepUps::default();
        let begun = ceremonies.begin(session_id, decision.to_owned(), (), caller.at);
        let (redeemed, ()) = ceremonies.redeem(begun, session_id, decision, caller.at).unwrap();
        let fresh = redeemed.verified(BiometricLevel::B1);
        self.authorizer().authorize_fresh::<A>(caller, resource, fresh).await.unwrap()
    }

    /// Every event of the log, in order.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let everything = Timestamp::from_millis(i64::MIN);
        let found = self.store().recent_events(everything).await.unwrap();
        let numbered = found.iter().enumerate().all(|(place, (index, _))| place as u64 == *index);
        assert!(numbered, "indexes leave gaps");
        found.into_iter().map(|(_, event)| event).collect()
    }

    /// Entries there are now.
    pub(crate) async fn mark(&self) -> usize {
        self.events().await.len()
    }

    /// What was done since `mark`; decisions are left out.
    pub(crate) async fn since(&self, mark: usize) -> Vec<Event> {
        let mut events = self.events().await.split_off(mark);
        events.retain(|event| !matches!(event.kind, EventKind::Decision { .. }));
        events
    }

    /// The same, by name.
    pub(crate) async fn names_since(&self, mark: usize) -> Vec<&'static str> {
        self.since(mark).await.iter().map(|event| event.kind.name()).collect()
    }

    /// What holds after every case: the stored log is the signed one, and the watch was
    /// told each entry once and in order.
    pub(crate) async fn verify(&mut self) {
        let events = self.events().await;
        let mut raw = self.raw().await;
        let leaves = sqlx::query("SELECT leaf FROM log_entry ORDER BY entry_index")
            .fetch_all(&mut raw)
            .await
            .unwrap();
        let mut tree = MerkleLog::new();
        for row in &leaves {
            tree.append(&row.try_get::<Vec<u8>, _>("leaf").unwrap());
        }
        let newest = sqlx::query("SELECT note FROM checkpoint ORDER BY tree_size DESC LIMIT 1")
            .fetch_optional(&mut raw)
            .await
            .unwrap();
        if let Some(row) = newest {
            let note: String = row.try_get("note").unwrap();
            let signed = Checkpoint::verify(&note, signer().verifier()).unwrap();
            assert_eq!(signed.head, tree.head(), "the log is not the signed one");
        }
        assert_eq!(tree.size(), events.len() as u64);
        let opened = self.opened.as_mut().unwrap();
        let mut next = opened.size;
        while let Ok(Committed { index, event }) = opened.tap.try_recv() {
            assert_eq!(index, next, "the tap is out of step");
            assert_eq!(*event, events[usize::try_from(index).unwrap()]);
            next += 1;
        }
        assert_eq!(next, tree.size(), "the tap missed entries");
    }
}

/// Signs the site's checkpoints.
pub(crate) fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

pub(crate) fn organisation(now: Timestamp, kind: OrganisationKind) -> Organisation {
    let organisation_id = OrganisationId::new(now);
    Organisation { organisation_id, name: format!("name of {organisation_id}"), kind }
}

pub(crate) fn person(now: Timestamp, organisation_id: OrganisationId, roles: &[Role]) -> Person {
    let person_id = PersonId::new(now);
    Person {
        person_id,
        display_name: "somebody".to_owned(),
        organisation_id,
        roles: roles.to_vec(),
        active: true,
        oidc_issuer: "https://idp.example".to_owned(),
        oidc_subject: format!("subject of {person_id}"),
        training_until: Some(BEGINNING.plus_seconds(86_400)),
        pledged_at: Some(BEGINNING.plus_seconds(-86_400)),
    }
}

/// A credential of somebody; its id tells whose and which.
pub(crate) fn credential(person: &Person, which: &str, now: Timestamp) -> CredentialRecord {
    CredentialRecord {
        credential_id: format!("{which} of {}", person.person_id),
        person_id: person.person_id,
        aaguid: "00000000-0000-0000-0000-000000000001".to_owned(),
        model: "model".to_owned(),
        level: BiometricLevel::B1,
        label: "label".to_owned(),
        passkey_json: "{\"counter\":0}".to_owned(),
        enrolled_at: now,
    }
}
