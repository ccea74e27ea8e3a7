//! Where the programs under test are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::SiteError;

/// The programs of a build, side by side in one folder.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `sekisho-gateway`.
    pub gateway: PathBuf,
    /// `sekisho-worker`.
    pub worker: PathBuf,
    /// `sekisho-ingest`.
    pub ingest: PathBuf,
    /// `sekisho`.
    pub sekisho: PathBuf,
    /// `sekisho-demo-browser`.
    pub browser: PathBuf,
    /// `sekisho-demo-authenticator`.
    pub authenticator: PathBuf,
    /// Where they put what is temporary; the system's own place when unset.
    pub temporary: Option<PathBuf>,
}

impl Programs {
    /// Those of the build that the running executable belongs to: beside it, or one folder
    /// up for a test executable.
    ///
    /// # Errors
    /// [`SiteError::NotBuilt`] names the first that is missing.
    pub fn beside_this() -> Result<Self, SiteError> {
        let own = env::current_exe()?;
        let folder = own.parent().unwrap_or(Path::new("."));
        let folder = match folder.file_name() {
            Some(name) if name == "deps" => folder.parent().unwrap_or(folder),
            _ => folder,
        };
        let find = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(SiteError::NotBuilt(path)) }
        };
        find("sekisho-runner")?;
        Ok(Self {
            gateway: find("sekisho-gateway")?,
            worker: find("sekisho-worker")?,
            ingest: find("sekisho-ingest")?,
            sekisho: find("sekisho")?,
            browser: find("sekisho-demo-browser")?,
            authenticator: find("sekisho-demo-authenticator")?,
            temporary: None,
        })
    }

    /// A command with next to nothing of this process's environment, so that a person's
    /// own settings change no story.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for kept in ["PATH", "TERM", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE"] {
            if let Some(value) = env::var_os(kept) {
                command.env(kept, value);
            }
        }
        if let Some(folder) = &self.temporary {
            command.env("TMPDIR", folder);
        }
        command
    }
}

/// The source tree: profiles, test data, examples, `build/wasm`.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
