//! Exit codes: the part of the command line that scripts rely on.

use std::process::ExitCode;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command did what was asked.
    Done,
    /// It failed for a reason not named below; a run that did not succeed counts.
    Failed,
    /// The command or a file given to it is not well formed.
    Usage,
    /// A rule refused it; the message names the rule and the clause.
    Refused,
    /// There is no valid session.
    NotLoggedIn,
    /// What was named does not exist, or the caller may not know that it does.
    NotFound,
    /// The gateway could not be reached or asks to try again later.
    Unreachable,
    /// A proof did not hold: a log, a signature, a hash or a decision differs.
    NotVerified,
}

impl Exit {
    /// The process exit status, 0 to 7.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotLoggedIn => 4,
            Self::NotFound => 5,
            Self::Unreachable => 6,
            Self::NotVerified => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// Shown at the end of `sekisho --help`.
pub(crate) const EXIT_HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command or a file given to it is not well formed
  3  refused by a rule (the message names rule and clause)
  4  not logged in
  5  not found
  6  the gateway could not be reached; trying again may help
  7  verification failed: a log, signature, hash or decision differs

Files: the profile folder (--profile-dir, SEKISHO_HOME, else ~/.config/sekisho)
holds config.toml, ca.pem and the session's certificate and key.
SEKISHO_AUTHENTICATOR names the program that performs WebAuthn ceremonies;
BROWSER names the browser (xdg-open otherwise).";
