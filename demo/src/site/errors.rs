use std::{io, path::PathBuf};

use crate::{authenticator::AuthenticatorError, issuer::IssuerError};

/// Why the site, or a program of it, did not do what the story needs.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A program was not built.
    #[error("{0} is missing: run `cargo build --workspace --bins`")]
    NotBuilt(PathBuf),
    /// Folders or processes.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The authenticators.
    #[error(transparent)]
    Authenticator(#[from] AuthenticatorError),
    /// The identity provider.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// No port to listen on.
    #[error("no free port on 127.0.0.1")]
    NoPort,
    /// A process did not come up.
    #[error("{name} did not come up: {why}")]
    NotReady {
        /// Which.
        name: String,
        /// Its last words.
        why: String,
    },
    /// A process did not end.
    #[error("{0} did not end")]
    NotEnded(String),
    /// A command ended otherwise than expected.
    #[error("`{line}` ended with {status}, expected {expected}\n{output}")]
    Unexpected {
        /// The command as typed.
        line: String,
        /// Its exit status.
        status: String,
        /// What was expected.
        expected: String,
        /// What it printed.
        output: String,
    },
    /// A command printed something else than expected.
    #[error("`{line}` printed no {what}\n{output}")]
    Unreadable {
        /// The command as typed.
        line: String,
        /// What was looked for.
        what: String,
        /// What it printed.
        output: String,
    },
}
