//! Where vaults of each kind live in the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use sekisho_vault::{
    FileVault, Pkcs11Place, Pkcs11Vault, RotatingVault, VaultError, create_private_file,
};
use tempfile::TempDir;

/// A place for one vault, which can be made there once and opened many times.
pub(crate) trait Place {
    /// Runs a test in an environment fit for this kind; `name` is the test's own.
    fn run(name: &str, test: fn(&dyn Place))
    where
        Self: Sized;

    /// Another place of the same kind.
    fn another(&self) -> Box<dyn Place>;

    fn create(&self) -> Result<Box<dyn RotatingVault>, VaultError>;

    /// What a restarted process does.
    fn open(&self) -> Result<Box<dyn RotatingVault>, VaultError>;

    /// The folder with the record of uses.
    fn records(&self) -> &Path;
}

/// A file vault in a folder.
pub(crate) struct Folder {
    path: PathBuf,
    _dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { path: dir.path().join("vault"), _dir: dir }
    }
}

impl Place for Folder {
    fn run(_: &str, test: fn(&dyn Place)) {
        test(&Self::new());
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new())
    }

    fn create(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(FileVault::create(&self.path)?))
    }

    fn open(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(FileVault::open(&self.path)?))
    }

    fn records(&self) -> &Path {
        &self.path
    }
}

/// Where Debian's package `softhsm2` puts it.
pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const PIN: &str = "987654";
/// Names the folder of a test's tokens, in the process that may use them.
const TOKENS: &str = "SEKISHO_TEST_TOKENS";
/// Tokens made for each test.
const MADE: usize = 2;

/// A vault in a SoftHSM token.
pub(crate) struct SoftToken(pub(crate) Pkcs11Place);

impl SoftToken {
    /// The next of this process's tokens.
    pub(crate) fn next() -> Self {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(number < MADE, "a test has {MADE} tokens");
        let folder = PathBuf::from(std::env::var_os(TOKENS).unwrap());
        Self(Pkcs11Place {
            library: SOFTHSM.into(),
            token: format!("test-{number}"),
            pin: folder.join("pin"),
            records: folder.join(format!("records-{number}")),
        })
    }

    /// Runs the test of this name again, in a process whose SoftHSM has a folder of its
    /// own: the library reads the folder's place from the environment, once.
    pub(crate) fn run_alone(name: &str, test: impl FnOnce()) {
        if std::env::var_os(TOKENS).is_some() {
            return test();
        }
        assert!(
            Path::new(SOFTHSM).exists(),
            "{SOFTHSM} is missing: install it with `infra/setup.sh test` or `apt-get install softhsm2`"
        );
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("softhsm2.conf");
        let tokens = dir.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        fs::write(&config, text).unwrap();
        create_private_file(&dir.path().join("pin"), PIN.as_bytes()).unwrap();
        for number in 0..MADE {
            let mut make = Command::new("softhsm2-util");
            make.args(["--init-token", "--free", "--pin", PIN, "--so-pin", PIN, "--label"]);
            let made = make.arg(format!("test-{number}")).env("SOFTHSM2_CONF", &config).output();
            assert!(made.unwrap().status.success(), "softhsm2-util makes no token");
        }
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args([name, "--exact", "--nocapture"]).env("SOFTHSM2_CONF", &config);
        let ran = again.env(TOKENS, dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
        assert!(said.contains("1 passed"), "no test is named {name}");
    }
}

impl Place for SoftToken {
    fn run(name: &str, test: fn(&dyn Place)) {
        Self::run_alone(name, || test(&Self::next()));
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::next())
    }

    fn create(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(Pkcs11Vault::create(&self.0)?))
    }

    fn open(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(Pkcs11Vault::open(&self.0)?))
    }

    fn records(&self) -> &Path {
        &self.0.records
    }
}
