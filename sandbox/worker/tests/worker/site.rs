//! A site folder with a sealed data set, a module, and runners that are small scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use prost::Message as _;
use sekisho_dataset::{Grant, Profile, Provenance, SealOptions, SealedVersion, SealedWriter};
use sekisho_proto::v1;
use sekisho_runner::module_context;
use sekisho_vault::{Context, Key, ReceivingKey, ReceivingPublic, SigningIdentity, seal};
use sekisho_worker::{Config, Site, TICKET_LABEL, VerifiedTicket, init, prepare};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::gateway::Certificates;

/// `confined`, as a runner says it: a jail named `x`.
const CONFINED: &str = r"printf '\020\003\000\000\000\012\001x'";
/// One output named `a`, then the end.
const OUTPUT_AND_DONE: &str =
    r"printf '\023\006\000\000\000\012\001a\022\001b\024\000\000\000\000'";

/// Leaves the order to confine itself unread, and with a module in place of a job is a compiler.
const COMPILE: &str = r#"set -- $(head -c 5 | od -An -tu1)
head -c $(($2 + $3 * 256 + $4 * 65536 + $5 * 16777216)) > /dev/null
if [ $(head -c 1 | od -An -tu1) -eq 3 ]; then
  cat > /dev/null
  printf '\026\004\000\000\000code'
  exit
fi"#;

pub(crate) const MODULE: &[u8] = b"\0asm a module that no test runs";
/// Description and CSV of a table that no test looks up.
pub(crate) const BROUGHT_IN: [&[u8]; 2] = [b"table = \"groups\"", b"code,group\nA,a\n"];
pub(crate) const MANIFEST: &str = "name = \"a manifest that no test reads\"";

const PROFILE: &str = include_str!("profile.toml");

/// What the tests' worker lives in.
pub(crate) struct Folder {
    pub(crate) root: TempDir,
    pub(crate) tickets: SigningIdentity,
    pub(crate) module_key: Key,
    pub(crate) version: SealedVersion,
}

impl Folder {
    pub(crate) fn new(certificates: &Certificates) -> Self {
        let root = tempfile::tempdir().unwrap();
        let worker = root.path().join("worker");
        init(&worker, "https://localhost:1", None).unwrap();
        let write = |path: &str, text: &str| fs::write(worker.join(path), text).unwrap();
        write("tls/ca.pem", &certificates.ca);
        write("tls/worker.pem", &certificates.client.0);
        fs::remove_file(worker.join("tls/worker.key")).unwrap();
        let key = worker.join("tls/worker.key");
        sekisho_vault::create_private_file(&key, certificates.client.1.as_bytes()).unwrap();
        let (tickets, ingest) =
            (SigningIdentity::generate().unwrap(), SigningIdentity::generate().unwrap());
        write("ticket-verify.pub", &tickets.verifying().to_hex());
        write("ingest-verify.pub", &ingest.verifying().to_pem().unwrap());
        let receiver = ReceivingPublic::load(&worker.join("receiving.pub")).unwrap();
        let version = seal_dataset(&root.path().join("datasets"), &receiver, &ingest);
        Self { root, tickets, module_key: Key::generate().unwrap(), version }
    }

    /// The worker's site with a runner that is this shell script, after it said `confined`; as a
    /// compiler it is a good one.
    pub(crate) fn site(&self, port: u16, script: &str) -> Site {
        let runner = self.path("runner");
        fs::write(&runner, format!("#!/bin/sh\n{CONFINED}\n{COMPILE}\n{script}\n")).unwrap();
        fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
        let path = self.path("worker/config.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("https://localhost:1\"", &format!("https://localhost:{port}\""));
        fs::write(&path, format!("{text}runner = \"../runner\"\n")).unwrap();
        self.open()
    }

    fn open(&self) -> Site {
        let path = self.path("worker/config.toml");
        Site::open(Config::load(&path).unwrap()).unwrap()
    }

    /// The code of the refusal this lease meets, looked at without a gateway.
    pub(crate) fn refusal(&self, lease: v1::Lease) -> &'static str {
        let signed = lease.signed_ticket.clone().unwrap();
        let gateway = self.tickets.verifying();
        VerifiedTicket::verify(&signed, &gateway, SystemTime::now())
            .and_then(|ticket| prepare(&self.open(), ticket, lease))
            .unwrap_err()
            .code()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A script that keeps what it is given and gives one output.
    pub(crate) fn good_runner(&self) -> String {
        format!("cat > {}\n{OUTPUT_AND_DONE}", self.path("job").display())
    }

    /// A script that says its process id and hangs.
    pub(crate) fn hanging_runner(&self) -> String {
        format!("echo $$ > {}\nexec sleep 600", self.path("pid").display())
    }

    pub(crate) fn ticket(&self) -> v1::RunTicket {
        let in_seconds = |seconds: i64| {
            let now = prost_types::Timestamp::from(SystemTime::now());
            Some(prost_types::Timestamp { seconds: now.seconds + seconds, ..now })
        };
        v1::RunTicket {
            run_id: "run-1".to_owned(),
            lease_id: "lease-1".to_owned(),
            module_id: "module-1".to_owned(),
            module_sha256: Sha256::digest(MODULE).to_vec(),
            manifest_sha256: Sha256::digest(MANIFEST).to_vec(),
            datasets: vec![v1::TicketDataset {
                dataset_id: "people".to_owned(),
                dataset_version: "v1".to_owned(),
                manifest_sha256: hex::decode(self.version.manifest_sha256()).unwrap(),
                tables: vec![v1::GrantedTable {
                    table: "people".to_owned(),
                    columns: vec!["age".to_owned()],
                    row_filter: String::new(),
                }],
                holds: self.version.profile().holds.name().to_owned(),
                database: self.version.profile().database.clone(),
                id_space: self.version.profile().id_space.clone(),
            }],
            issued_at: in_seconds(0),
            expires_at: in_seconds(600),
            ..v1::RunTicket::default()
        }
    }

    /// A good lease over a ticket, two seconds long.
    pub(crate) fn lease(&self, ticket: &v1::RunTicket) -> v1::Lease {
        let bytes = ticket.encode_to_vec();
        let signature = self.tickets.sign(TICKET_LABEL, &bytes).to_vec();
        let issued = SystemTime::try_from(ticket.issued_at.unwrap()).unwrap();
        v1::Lease {
            signed_ticket: Some(v1::SignedTicket { ticket: bytes, signature }),
            sealed_module: seal(&self.module_key, &module_context("module-1"), MODULE).unwrap(),
            module_key: self.module_key.danger_bytes().to_vec(),
            manifest: MANIFEST.to_owned(),
            output_key: Key::generate().unwrap().danger_bytes().to_vec(),
            lease_expires_at: Some((issued + Duration::from_secs(2)).into()),
            bring_ins: vec![],
            order_key: Key::generate().unwrap().danger_bytes().to_vec(),
        }
    }

    /// Ties ticket and lease to a table that was brought in.
    pub(crate) fn bring_in(&self, ticket: &mut v1::RunTicket) -> v1::SealedBringIn {
        let sha256 = BROUGHT_IN.map(|part| Sha256::digest(part).to_vec());
        let [description_sha256, table_sha256] = sha256;
        ticket.bring_ins = vec![v1::TicketBringIn {
            bring_in_id: "bringin-1".to_owned(),
            table: "groups".to_owned(),
            description_sha256,
            table_sha256,
        }];
        let key = Key::generate().unwrap();
        let sealed =
            |label, plain| seal(&key, &Context::new(label).text("bringin-1"), plain).unwrap();
        v1::SealedBringIn {
            description: sealed("bring-in-description", BROUGHT_IN[0]),
            table: sealed("bring-in-table", BROUGHT_IN[1]),
            key: key.danger_bytes().to_vec(),
        }
    }

    /// The bytes of one column's key.
    pub(crate) fn column_key(&self, column: &str) -> Vec<u8> {
        let config = Config::load(&self.path("worker/config.toml")).unwrap();
        let receiving = ReceivingKey::open(&config.receiving_key, config.vault.open().unwrap());
        let grant = Grant::of(&[("people", &[column])]);
        let keys = self.version.unwrap_granted(&receiving.unwrap(), &grant).unwrap();
        let piped = keys.danger_to_pipe();
        let at = find(&piped, column.as_bytes()).unwrap() + column.len();
        piped[at..at + 32].to_vec()
    }
}

/// Where `part` first stands in `whole`.
pub(crate) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

fn seal_dataset(
    root: &std::path::Path,
    receiver: &ReceivingPublic,
    ingest: &SigningIdentity,
) -> SealedVersion {
    fs::create_dir(root).unwrap();
    let profile = Profile::parse(PROFILE).unwrap();
    let mut writer = SealedWriter::create(root, &profile, &SealOptions::default()).unwrap();
    for table in sekisho_dataset::dummy::generate(&profile, 20, 1).unwrap() {
        writer.push(&table.name, &table.rows).unwrap();
    }
    let sealed = writer.finish(Provenance::default(), receiver, ingest, &mut |_, _| {}).unwrap();
    SealedVersion::open(&sealed.folder, &ingest.verifying()).unwrap()
}
