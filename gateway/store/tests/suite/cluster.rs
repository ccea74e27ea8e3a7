//! A PostgreSQL server of the test's own: made in a temporary folder, reached over a
//! socket in it, gone with the test.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

const SUPERUSER: &str = "sekisho";

/// A running server.
pub(crate) struct Cluster {
    folder: TempDir,
    postmaster: Child,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) async fn start() -> Self {
        sqlx::any::install_default_drivers();
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("sekisho-pg").tempdir().unwrap();
        let user = unprivileged(folder.path());
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let command = |program: &str| {
            let mut command = Command::new(programs.join(program));
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(folder.path()).env("LC_ALL", "C").stdin(Stdio::null());
            command
        };
        // A locale whose order differs from that of bytes, as a real site's may.
        let made = command("initdb")
            .args(["--pgdata=data", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .args(["--locale-provider=icu", "--icu-locale=und", "--username", SUPERUSER])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(folder.path().join("postgres.log")).unwrap();
        let postmaster = command("postgres")
            .args(["-D", "data", "-k"])
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut cluster = Self { folder, postmaster };
        cluster.wait().await;
        cluster
    }

    async fn wait(&mut self) {
        let began = Instant::now();
        while AnyConnection::connect(&self.url("postgres")).await.is_err() {
            let log = || fs::read_to_string(self.folder.path().join("postgres.log"));
            assert!(self.postmaster.try_wait().unwrap().is_none(), "{:?}", log());
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A database of its own for a case.
    pub(crate) async fn create(&self, name: &str) {
        let mut connection = AnyConnection::connect(&self.url("postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.unwrap();
    }

    /// Reaches a database over the socket.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://{SUPERUSER}@localhost/{name}?host={}", self.folder.path().display())
    }

    /// Everything the server keeps.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid = self.postmaster.id().to_string();
        // SIGQUIT: stop at once and take the server's own processes along.
        let asked = Command::new("kill").args(["-QUIT", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.postmaster.kill();
        }
        let _ = self.postmaster.wait();
    }
}

/// Where the newest installed server's programs are.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let search = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin"))
        .chain(std::env::split_paths(&search))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort();
    found
        .pop()
        .unwrap_or_else(|| panic!("PostgreSQL is not installed: `infra/setup.sh test` sets it up"))
}

/// Whom to run the server as; it refuses to run as root.
fn unprivileged(ours: &Path) -> Option<(u32, u32)> {
    if fs::metadata(ours).unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| {
        let fields: Vec<&str> =
            users.lines().map(|line| line.split(':').collect()).find(|f: &Vec<_>| f[0] == name)?;
        Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
    };
    Some(user("postgres").or_else(|| user("nobody")).unwrap())
}
