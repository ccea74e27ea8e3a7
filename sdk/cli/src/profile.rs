//! The profile folder: which gateway, whose session.
//!
//! `config.toml` and `ca.pem` name and authenticate the gateway, `log.key` its log;
//! `session.json`, `session.crt.pem` and `session.key.pem` are the session. Invariant: the key is
//! created with mode 0600 and never leaves the folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sekisho_audit::VerifierKey;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::CliError;

/// Where the log's public key is kept after the gateway's first answer.
const LOG_KEY: &str = "log.key";

/// A profile folder that may not exist yet.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    dir: PathBuf,
}

/// `config.toml`.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address of the gateway, `https://HOST:PORT`.
    pub gateway: Url,
}

/// The session as stored: when it ends, its certificate chain and key.
#[derive(Debug, Clone)]
pub(crate) struct StoredSession {
    /// PEM chain, leaf first.
    pub certificate_chain_pem: String,
    /// PKCS#8 PEM.
    pub key_pem: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct SessionNote {
    session_id: String,
    expires_at: i64,
}

impl Profile {
    /// The folder given, else `~/.config/sekisho` (`XDG_CONFIG_HOME` is honoured).
    ///
    /// # Errors
    /// Fails when no folder is given and there is no home folder.
    pub(crate) fn locate(dir: Option<PathBuf>) -> Result<Self, CliError> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dir = dir
            .or_else(|| Some(PathBuf::from(var("XDG_CONFIG_HOME")?).join("sekisho")))
            .or_else(|| Some(PathBuf::from(var("HOME")?).join(".config/sekisho")))
            .ok_or_else(|| CliError::Profile("no home folder; give --profile-dir".to_owned()))?;
        Ok(Self { dir })
    }

    /// Writes address and CA certificate, keeping what is not given.
    ///
    /// # Errors
    /// Fails on an address that is not https, an unreadable CA file, or when
    /// neither is given nor stored.
    pub(crate) fn set_up(&self, gateway: Option<Url>, ca: Option<&Path>) -> Result<(), CliError> {
        if let Some(path) = ca {
            let pem = fs::read_to_string(path).map_err(CliError::file(path))?;
            self.write("ca.pem", &pem, 0o644)?;
        }
        if let Some(gateway) = gateway {
            if gateway.scheme() != "https" || gateway.host_str().is_none() {
                let text = format!("{gateway} is not an https address");
                return Err(CliError::Profile(text));
            }
            let text = toml::to_string(&Config { gateway })
                .map_err(|error| CliError::Profile(error.to_string()))?;
            self.write("config.toml", &text, 0o644)?;
        }
        self.config().map(drop)
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// Fails when it is missing or malformed.
    pub(crate) fn config(&self) -> Result<Config, CliError> {
        let path = self.dir.join("config.toml");
        let text = fs::read_to_string(&path)
            .map_err(|error| CliError::Profile(format!("{}: {error}", path.display())))?;
        toml::from_str(&text)
            .map_err(|error| CliError::Profile(format!("{}: {error}", path.display())))
    }

    /// Reads the CA certificate that authenticates the gateway.
    ///
    /// # Errors
    /// Fails when it is missing.
    pub(crate) fn ca_pem(&self) -> Result<String, CliError> {
        let path = self.dir.join("ca.pem");
        fs::read_to_string(&path)
            .map_err(|error| CliError::Profile(format!("{}: {error}", path.display())))
    }

    /// Stores a session; the key with mode 0600.
    ///
    /// # Errors
    /// Fails when the folder cannot be written.
    pub(crate) fn store_session(&self, id: &str, session: &StoredSession) -> Result<(), CliError> {
        let note = SessionNote { session_id: id.to_owned(), expires_at: session.expires_at };
        let note =
            serde_json::to_string(&note).map_err(|error| CliError::Profile(error.to_string()))?;
        self.write("session.key.pem", &session.key_pem, 0o600)?;
        self.write("session.crt.pem", &session.certificate_chain_pem, 0o600)?;
        self.write("session.json", &note, 0o600)
    }

    /// The stored session, if it has not run out at `now`.
    ///
    /// # Errors
    /// Fails when there is none, it is over, or others may read its key.
    pub(crate) fn session(&self, now: jiff::Timestamp) -> Result<StoredSession, CliError> {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).ok();
        let stored = || {
            let note: SessionNote = serde_json::from_str(&read("session.json")?).ok()?;
            Some(StoredSession {
                certificate_chain_pem: read("session.crt.pem")?,
                key_pem: read("session.key.pem")?,
                expires_at: note.expires_at,
            })
        };
        let session = stored().ok_or(CliError::NotLoggedIn("there is no session"))?;
        if session.expires_at <= now.as_second() {
            return Err(CliError::NotLoggedIn("the session is over"));
        }
        self.refuse_lax_key()?;
        Ok(session)
    }

    /// Removes the session's files; no session is not an error.
    ///
    /// # Errors
    /// Fails when a file cannot be removed.
    pub(crate) fn forget_session(&self) -> Result<(), CliError> {
        for name in ["session.json", "session.crt.pem", "session.key.pem"] {
            let path = self.dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CliError::file(path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The log's public key as pinned.
    ///
    /// # Errors
    /// Fails when none is pinned yet.
    pub(crate) fn log_key(&self) -> Result<VerifierKey, CliError> {
        let path = self.dir.join(LOG_KEY);
        let text = fs::read_to_string(&path)
            .map_err(|_| CliError::Profile("no log key is pinned yet; give --key".to_owned()))?;
        text.trim().parse().map_err(|_| {
            CliError::Profile(format!("{} is not a key in note format", path.display()))
        })
    }

    /// Pins the log's public key the first time; later it must be the same.
    ///
    /// # Errors
    /// Fails when the offered key is not the pinned one.
    pub(crate) fn pin_log_key(&self, offered: &VerifierKey) -> Result<VerifierKey, CliError> {
        if !self.dir.join(LOG_KEY).exists() {
            self.write(LOG_KEY, &format!("{offered}\n"), 0o644)?;
        }
        let pinned = self.log_key()?;
        if pinned == *offered {
            return Ok(pinned);
        }
        Err(CliError::NotVerified(format!(
            "the log is signed by {offered}, but {pinned} is pinned in the profile"
        )))
    }

    fn refuse_lax_key(&self) -> Result<(), CliError> {
        let path = self.dir.join("session.key.pem");
        let mode = fs::metadata(&path).map_err(CliError::file(&path))?.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let text = format!("{} may be read by others; log in again", path.display());
        Err(CliError::Profile(text))
    }

    /// Writes through a temporary file, so that a crash leaves old or new, never half.
    fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), CliError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(CliError::file(&self.dir))?;
        let path = self.dir.join(name);
        let draft = self.dir.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(CliError::file(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(expires_at: i64) -> StoredSession {
        StoredSession {
            certificate_chain_pem: "chain".to_owned(),
            key_pem: "key".to_owned(),
            expires_at,
        }
    }

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn the_key_is_private_and_a_lax_one_refused() {
        let dir = tempfile::tempdir().expect("temp");
        let profile = Profile::locate(Some(dir.path().to_owned())).expect("located");
        profile.store_session("s", &session(100)).expect("stored");
        let key = dir.path().join("session.key.pem");
        let mode = fs::metadata(&key).expect("key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(profile.session(at(50)).is_ok());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");
        let error = profile.session(at(50)).expect_err("lax");
        assert_eq!(error.reason(), "PROFILE_INVALID");
    }

    #[test]
    fn a_session_ends_at_its_time_and_can_be_forgotten() {
        let dir = tempfile::tempdir().expect("temp");
        let profile = Profile::locate(Some(dir.path().to_owned())).expect("located");
        profile.store_session("s", &session(100)).expect("stored");
        let over = profile.session(at(100)).expect_err("over");
        assert_eq!(over.reason(), "NOT_LOGGED_IN");
        profile.forget_session().expect("forgotten");
        profile.forget_session().expect("twice is fine");
        assert!(profile.session(at(1)).is_err());
    }

    #[test]
    fn only_https_addresses_are_taken() {
        let dir = tempfile::tempdir().expect("temp");
        let profile = Profile::locate(Some(dir.path().to_owned())).expect("located");
        let plain = Url::parse("http://127.0.0.1:1").expect("url");
        assert!(profile.set_up(Some(plain), None).is_err());
        let url = Url::parse("https://127.0.0.1:8443").expect("url");
        profile.set_up(Some(url.clone()), None).expect("set up");
        assert_eq!(profile.config().expect("config").gateway, url);
        profile.set_up(None, None).expect("keeps what is stored");
    }

    #[test]
    fn unknown_keys_in_config_are_refused() {
        let dir = tempfile::tempdir().expect("temp");
        fs::write(
            dir.path().join("config.toml"),
            "gateway = \"https://127.0.0.1:1\"\ngatway = 1\n",
        )
        .expect("written");
        let profile = Profile::locate(Some(dir.path().to_owned())).expect("located");
        assert!(profile.config().is_err());
    }
}
