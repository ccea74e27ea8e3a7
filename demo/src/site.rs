//! A site in a folder: gateway, worker, data sets, people, and the programs they use.
//!
//! Start at [`Site::new`]; [`Site::staffed`] is the shortcut of the tests. Every program is
//! the real one, found beside the running executable, started as a process of its own.
//!
//! ```text
//! <root>/gateway  worker  identified  datasets     the zones
//! <root>/people/<name>/home  token                 one person's profile and authenticator
//! <root>/logs                                      what the processes print
//! <root>/temporary                                 TMPDIR of every program
//! ```

mod agreement;
mod cast;
mod errors;
mod process;
mod programs;
mod ran;
mod staff;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;

pub use agreement::{AgreementFile, JoinedGrant, QuotaTable, TableGrant};
pub use cast::StageName;
pub use errors::SiteError;
pub use process::{Process, Signal};
pub use programs::{Programs, repository};
pub use ran::{Background, Ran, Tool};
pub use staff::Staff;

use crate::{
    authenticator::Model,
    issuer::{ClientCredentials, Issuer},
};
use cast::Player;

/// How long a process may take to come up; a cold start under a loaded machine is slow.
const READY: Duration = Duration::from_secs(60);
const OIDC_CLIENT: &str = "sekisho";

/// A site; its processes end when it is dropped, its folder goes unless kept.
pub struct Site {
    root: PathBuf,
    // Dropped after the processes.
    _folder: Option<tempfile::TempDir>,
    programs: Programs,
    issuer: Issuer,
    model: Model,
    players: BTreeMap<StageName, Player>,
    port: u16,
    gateway: Option<Process>,
    worker: Option<Process>,
}

impl Site {
    /// Folders, provider, authenticators; nothing runs yet. Without `root` the site lives
    /// in a temporary folder.
    ///
    /// # Errors
    /// [`SiteError`] when a program was not built or a folder cannot be made.
    pub fn new(root: Option<&Path>) -> Result<Self, SiteError> {
        let mut programs = Programs::beside_this()?;
        let folder = match root {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("sekisho-site-").tempdir()?),
        };
        let root = match (root, &folder) {
            (Some(root), _) => root.to_owned(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => std::env::temp_dir(),
        };
        fs::create_dir_all(root.join("logs"))?;
        fs::create_dir_all(root.join("datasets"))?;
        fs::create_dir_all(root.join("temporary"))?;
        // So that a look through the site is a look at everything its programs left.
        programs.temporary = Some(root.join("temporary"));
        let players = cast::players();
        let users = players.values().map(Player::user).collect();
        let secret = cast::secret();
        let client = ClientCredentials { id: OIDC_CLIENT.to_owned(), secret: secret.clone() };
        let model = Model::new()?;
        cast::write_private(&root.join("oidc-client.secret"), &secret)?;
        fs::write(root.join("authenticators.toml"), model.allow_list("B1"))?;
        for name in players.keys() {
            let home = root.join("people").join(name.text());
            fs::create_dir_all(&home)?;
            model.device(&home.join("token"))?;
        }
        Ok(Self {
            issuer: Issuer::start(users, client)?,
            port: free_port()?,
            root,
            _folder: folder,
            programs,
            model,
            players,
            gateway: None,
            worker: None,
        })
    }

    /// The site's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The address clients use.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The provider's issuer identifier.
    #[must_use]
    pub fn issuer_url(&self) -> &str {
        self.issuer.url()
    }

    /// The site's CA certificate, as clients get it.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.root.join("gateway/ca/ca.pem")
    }

    /// The subject of a person's ID tokens.
    #[must_use]
    pub fn subject(&self, name: StageName) -> String {
        self.players.get(&name).map(Player::subject).unwrap_or_default()
    }

    /// A device of a model that the site does not know.
    ///
    /// # Errors
    /// [`SiteError`] when it cannot be made.
    pub fn foreign_authenticator(&self, path: &Path) -> Result<(), SiteError> {
        Model::new()?.device(path)?;
        Ok(())
    }

    /// Gives a person a new authenticator of the accepted model, without credentials.
    ///
    /// # Errors
    /// [`SiteError`] when it cannot be written.
    pub fn new_authenticator(&self, name: StageName) -> Result<(), SiteError> {
        self.model.device(&self.home(name).join("token"))?;
        Ok(())
    }

    /// Lays the gateway out. Its answer holds the steward's invitation.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn init_gateway(&self) -> Result<Ran, SiteError> {
        let listen = format!("127.0.0.1:{}", self.port);
        let steward = StageName::Steward;
        let name = self.players.get(&steward).map(|player| player.full_name).unwrap_or_default();
        let secret = self.root.join("oidc-client.secret");
        let authenticators = self.root.join("authenticators.toml");
        self.tool(&self.programs.gateway)
            .args(["init", "--dir"])
            .arg(self.root.join("gateway"))
            .args(["--listen", &listen, "--oidc-issuer", self.issuer.url()])
            .args(["--oidc-client-id", OIDC_CLIENT, "--oidc-client-secret-file"])
            .arg(secret)
            .args(["--steward-name", name, "--steward-subject", &self.subject(steward)])
            .arg("--authenticators")
            .arg(authenticators)
            .succeed()
    }

    /// Starts the gateway and waits until it takes calls.
    ///
    /// # Errors
    /// [`SiteError`] when it does not come up.
    pub fn start_gateway(&mut self) -> Result<(), SiteError> {
        let mut process = Process::start(
            self.programs
                .command(&self.programs.gateway)
                .arg("serve")
                .arg("--config")
                .arg(self.root.join("gateway/config.toml")),
            "gateway",
            &self.root.join("logs"),
        )?;
        process.wait_ready(READY)?;
        self.gateway = Some(process);
        Ok(())
    }

    /// The gateway, if it was started.
    pub fn gateway(&mut self) -> Option<&mut Process> {
        self.gateway.as_mut()
    }

    /// The worker, if it was started.
    pub fn worker(&mut self) -> Option<&mut Process> {
        self.worker.as_mut()
    }

    /// Ends the gateway at once, as a power cut would.
    ///
    /// # Errors
    /// [`SiteError`] when it cannot be ended.
    pub fn kill_gateway(&mut self) -> Result<(), SiteError> {
        end(self.gateway.take(), Signal::Kill)
    }

    /// Ends the worker at once. Its runner dies with it.
    ///
    /// # Errors
    /// [`SiteError`] when it cannot be ended.
    pub fn kill_worker(&mut self) -> Result<(), SiteError> {
        end(self.worker.take(), Signal::Kill)
    }

    /// Asks gateway and worker to stop and waits for them.
    ///
    /// # Errors
    /// [`SiteError`] when one does not stop.
    pub fn stop(&mut self) -> Result<(), SiteError> {
        end(self.worker.take(), Signal::Terminate)?;
        end(self.gateway.take(), Signal::Terminate)
    }

    /// Makes the worker's folder and the identified zone, and has the steward, who must be
    /// logged in, enrol the worker.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn init_worker(&self) -> Result<Vec<Ran>, SiteError> {
        let worker = self.root.join("worker");
        let made = self
            .tool(&self.programs.worker)
            .args(["init", "--dir"])
            .arg(&worker)
            .args(["--gateway", &self.gateway_url()])
            .succeed()?;
        let zone = self
            .tool(&self.programs.ingest)
            .args(["init", "--json", "--zone"])
            .arg(self.root.join("identified"))
            .arg("--receiver")
            .arg(worker.join("receiving.pub"))
            .succeed()?;
        let key = zone.json()?;
        let key = key.get("verify_key_file").and_then(Value::as_str).unwrap_or_default();
        fs::copy(key, worker.join("ingest-verify.pub"))?;
        fs::copy(self.root.join("identified/receiving.pub"), worker.join("identified.pub"))?;
        let receiver = "reidentification_receiver = \"identified.pub\"\n";
        fs::OpenOptions::new()
            .append(true)
            .open(worker.join("config.toml"))?
            .write_all(receiver.as_bytes())?;
        let enrolled = self
            .person(StageName::Steward)
            .args(["steward", "worker", "enrol", "--name", "worker-1", "--csr"])
            .arg(worker.join("tls/worker.csr"))
            .arg("--out")
            .arg(&worker)
            .succeed()?;
        Ok(vec![made, zone, enrolled])
    }

    /// Starts the worker.
    ///
    /// # Errors
    /// [`SiteError`] when it ends at once.
    pub fn start_worker(&mut self) -> Result<(), SiteError> {
        let config = self.root.join("worker/config.toml");
        let mut command = self.programs.command(&self.programs.worker);
        let process =
            Process::start(command.arg("--config").arg(config), "worker", &self.root.join("logs"))?;
        self.worker = Some(process);
        Ok(())
    }

    /// Seals a data set version and returns what ingest said; `arguments` begin with
    /// `csv` or `generate-ehr`.
    #[must_use]
    pub fn ingest(&self, source: &str) -> Tool {
        self.tool(&self.programs.ingest)
            .arg(source)
            .arg("--zone")
            .arg(self.root.join("identified"))
            .arg("--receiver")
            .arg(self.root.join("worker/receiving.pub"))
            .arg("--out")
            .arg(self.root.join("datasets"))
    }

    /// The same for a source without lists of persons: it is public, or made up.
    #[must_use]
    pub fn ingest_everybody(&self, source: &str) -> Tool {
        self.ingest(source).arg("--no-notices").arg("--no-optouts")
    }

    /// A command of the identified zone.
    #[must_use]
    pub fn identified(&self, command: &str) -> Tool {
        let zone = self.root.join("identified");
        self.tool(&self.programs.ingest).arg(command).arg("--zone").arg(zone)
    }

    /// The command line as this person uses it.
    #[must_use]
    pub fn person(&self, name: StageName) -> Tool {
        let home = self.home(name);
        let mut tool = self
            .tool(&self.programs.sekisho)
            .env("SEKISHO_HOME", home.join("home"))
            .env("BROWSER", &self.programs.browser)
            .env("SEKISHO_AUTHENTICATOR", &self.programs.authenticator)
            .env("SEKISHO_DEMO_TOKEN", home.join("token"));
        if let Some(player) = self.players.get(&name) {
            tool = tool
                .env("SEKISHO_DEMO_USER", name.text())
                .env("SEKISHO_DEMO_PASSWORD", &player.password);
        }
        tool
    }

    /// Enrols a person's authenticator under an invitation and logs them in.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn enrol(&self, name: StageName, invitation: &str) -> Result<Ran, SiteError> {
        self.login(name).args(["--invitation", invitation, "--label", "demo"]).succeed()
    }

    /// The steward writes an agreement down and records it.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn record(&self, agreement: &AgreementFile) -> Result<Ran, SiteError> {
        let name = agreement.project_name.to_lowercase().replace(' ', "-");
        let path = self.home(StageName::Steward).join(format!("{name}.toml"));
        fs::write(&path, agreement.to_toml().map_err(std::io::Error::other)?)?;
        self.person(StageName::Steward).args(["steward", "agreement", "record"]).arg(path).succeed()
    }

    /// The command that logs a person in.
    #[must_use]
    pub fn login(&self, name: StageName) -> Tool {
        let url = self.gateway_url();
        self.person(name).args(["login", "--gateway", &url, "--ca"]).arg(self.ca())
    }

    fn home(&self, name: StageName) -> PathBuf {
        self.root.join("people").join(name.text())
    }

    fn tool(&self, program: &Path) -> Tool {
        Tool::new(self.programs.command(program), program)
    }
}

fn end(process: Option<Process>, signal: Signal) -> Result<(), SiteError> {
    match process {
        Some(mut process) => process.end(signal),
        None => Ok(()),
    }
}

/// A port below those that the kernel gives to outgoing connections, so that it is still
/// free when the gateway is started again; another one for each site of a process.
fn free_port() -> Result<u16, SiteError> {
    static SITES: AtomicU32 = AtomicU32::new(0);
    let first = (std::process::id() % 600) * 20 + SITES.fetch_add(1, Ordering::Relaxed);
    (0..12_000_u32)
        .filter_map(|step| u16::try_from(20_000 + (first + step) % 12_000).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(SiteError::NoPort)
}
