//! Everything that can go wrong, with a stable code, an exit status and advice.

use std::{io, path::PathBuf};

use sekisho_audit::verify::Finding;
use tonic_types::StatusExt;

use crate::exit::Exit;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The gateway answered with an error.
    #[error("{}", .0.message)]
    Rpc(Box<Refusal>),
    /// No connection to the gateway.
    #[error("cannot reach the gateway at {url}: {reason}")]
    Unreachable {
        /// Address that was tried.
        url: String,
        /// What the transport reported.
        reason: String,
    },
    /// There is no session, or it is over.
    #[error("{0}")]
    NotLoggedIn(&'static str),
    /// The profile folder lacks something or is malformed.
    #[error("profile: {0}")]
    Profile(String),
    /// An argument or an input file is not well formed.
    #[error("{0}")]
    Input(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The browser's part of the login went wrong.
    #[error("login: {0}")]
    FirstFactor(String),
    /// The authenticator helper is missing or failed.
    #[error("authenticator: {0}")]
    Authenticator(String),
    /// The gateway asked to sign a decision other than the one being sent.
    #[error(
        "the gateway asks to sign decision {theirs}, but this request is decision {ours}; nothing was signed"
    )]
    DecisionMismatch {
        /// SHA-256 computed here, hexadecimal.
        ours: String,
        /// SHA-256 the gateway sent, hexadecimal.
        theirs: String,
    },
    /// A proof does not hold.
    #[error("{0}")]
    NotVerified(String),
    /// The log, or a copy of it, is not what was signed.
    #[error("the log does not verify: {0}")]
    Log(#[from] Finding),
    /// A run ended without success.
    #[error("run {run_id} ended as {state}")]
    RunEnded {
        /// The run.
        run_id: String,
        /// Its final state and failure class.
        state: String,
    },
    /// The analysis failed on this machine, on dummy data.
    #[error("the analysis failed here: {0}")]
    LocalRun(String),
    /// The gateway's answer lacks something the contract promises.
    #[error("the gateway's answer lacks {0}")]
    Contract(&'static str),
}

/// An error answer of the gateway, unpacked from `google.rpc` details.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    /// Exit status it maps to.
    pub exit: Option<Exit>,
    /// Stable reason code, e.g. `AGREEMENT_PERIOD_OVER`; the gRPC code's name when there is none.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The rule that refused, if one did.
    pub rule: Option<String>,
    /// The clause of law or agreement behind the rule.
    pub clause: Option<String>,
    /// Names this call in the gateway's log.
    pub request_id: Option<String>,
    /// What to do next, in the gateway's words.
    pub next: Option<String>,
    /// First instant at which asking again can help, in RFC 3339.
    pub not_before: Option<String>,
}

impl CliError {
    /// Wraps an i/o error with the file it happened to.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The exit status.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Rpc(refusal) => refusal.exit.unwrap_or(Exit::Failed),
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::NotLoggedIn(_) => Exit::NotLoggedIn,
            Self::Profile(_) | Self::Input(_) => Exit::Usage,
            Self::DecisionMismatch { .. } | Self::NotVerified(_) | Self::Log(_) => {
                Exit::NotVerified
            }
            Self::File { .. }
            | Self::FirstFactor(_)
            | Self::Authenticator(_)
            | Self::RunEnded { .. }
            | Self::LocalRun(_)
            | Self::Contract(_) => Exit::Failed,
        }
    }

    /// A stable code: the gateway's reason, or one of ours.
    #[must_use]
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Rpc(refusal) => &refusal.reason,
            Self::Unreachable { .. } => "GATEWAY_UNREACHABLE",
            Self::NotLoggedIn(_) => "NOT_LOGGED_IN",
            Self::Profile(_) => "PROFILE_INVALID",
            Self::Input(_) => "INPUT_INVALID",
            Self::File { .. } => "FILE_ERROR",
            Self::FirstFactor(_) => "FIRST_FACTOR_FAILED",
            Self::Authenticator(_) => "AUTHENTICATOR_FAILED",
            Self::DecisionMismatch { .. } => "DECISION_MISMATCH",
            Self::NotVerified(_) => "NOT_VERIFIED",
            Self::Log(finding) => finding.code(),
            Self::RunEnded { .. } => "RUN_NOT_SUCCEEDED",
            Self::LocalRun(_) => "LOCAL_RUN_FAILED",
            Self::Contract(_) => "ANSWER_INCOMPLETE",
        }
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub(crate) fn next(&self) -> Option<String> {
        let text = match self {
            Self::Rpc(refusal) => return refusal.next.clone().or_else(|| advice(refusal.exit)),
            Self::Unreachable { .. } => return advice(Some(Exit::Unreachable)),
            Self::NotLoggedIn(_) => return advice(Some(Exit::NotLoggedIn)),
            Self::Profile(_) => "run `sekisho login --gateway URL --ca FILE` to set the profile up",
            Self::DecisionMismatch { .. } => {
                "tell the security watch: the decision shown to you was not the one to be signed"
            }
            Self::Authenticator(_) => {
                "set SEKISHO_AUTHENTICATOR to a program that performs WebAuthn ceremonies (see sdk/cli/README.md)"
            }
            Self::LocalRun(_) => "mend the module and try again; nothing was sent anywhere",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// First log entry that is not what was signed.
    #[must_use]
    pub(crate) fn first_bad(&self) -> Option<u64> {
        match self {
            Self::Log(finding) => finding.first_bad(),
            _ => None,
        }
    }

    /// The refusal details, if the gateway sent any.
    #[must_use]
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Rpc(refusal) => Some(refusal),
            _ => None,
        }
    }
}

fn advice(exit: Option<Exit>) -> Option<String> {
    let text = match exit? {
        Exit::NotLoggedIn => "run `sekisho login`",
        Exit::Unreachable => {
            "check the address in config.toml and try again; nothing was changed by this call unless it says so"
        }
        Exit::NotFound => "list what you may see with the noun's `list` command",
        Exit::Refused => {
            "read the clause; the steward of the project can say what the agreement allows"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        let info = status.get_details_error_info();
        let meta = |key: &str| {
            let value = info.as_ref()?.metadata.get(key)?;
            (!value.is_empty()).then(|| value.clone())
        };
        let rule = meta("rule");
        Self::Rpc(Box::new(Refusal {
            exit: Some(exit_of(status.code(), rule.is_some())),
            reason: info
                .as_ref()
                .map_or_else(|| code_name(status.code()), |info| info.reason.clone()),
            message: describe(&status),
            clause: meta("clause"),
            request_id: meta("request_id"),
            next: meta("next"),
            not_before: meta("not_before"),
            rule,
        }))
    }
}

/// A status without details usually wraps a transport error: its chain says more.
fn describe(status: &tonic::Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let line = error.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        source = error.source();
    }
    text
}

fn exit_of(code: tonic::Code, by_rule: bool) -> Exit {
    use tonic::Code;
    match code {
        Code::Unauthenticated => Exit::NotLoggedIn,
        _ if by_rule => Exit::Refused,
        Code::PermissionDenied | Code::FailedPrecondition => Exit::Refused,
        Code::NotFound => Exit::NotFound,
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted => {
            Exit::Unreachable
        }
        _ => Exit::Failed,
    }
}

/// `PermissionDenied` as `PERMISSION_DENIED`.
fn code_name(code: tonic::Code) -> String {
    let mut name = String::new();
    for (index, letter) in format!("{code:?}").chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn refusal(code: tonic::Code, metadata: &[(&str, &str)]) -> CliError {
        let metadata: HashMap<String, String> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let details = ErrorDetails::with_error_info("PERIOD_OVER", "sekisho", metadata);
        tonic::Status::with_error_details(code, "the period is over", details).into()
    }

    #[test]
    fn a_refusal_keeps_reason_rule_clause_and_request() {
        let error = refusal(
            tonic::Code::PermissionDenied,
            &[("rule", "agreement_period"), ("clause", "AG-2"), ("request_id", "r-1")],
        );
        let details = error.refusal().expect("details");
        assert_eq!(error.exit(), Exit::Refused);
        assert_eq!(error.reason(), "PERIOD_OVER");
        assert_eq!(details.rule.as_deref(), Some("agreement_period"));
        assert_eq!(details.clause.as_deref(), Some("AG-2"));
        assert_eq!(details.request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn codes_map_to_documented_exits() {
        for (code, exit) in [
            (tonic::Code::Unauthenticated, Exit::NotLoggedIn),
            (tonic::Code::NotFound, Exit::NotFound),
            (tonic::Code::InvalidArgument, Exit::Usage),
            (tonic::Code::Unavailable, Exit::Unreachable),
            (tonic::Code::Internal, Exit::Failed),
        ] {
            let error = CliError::from(tonic::Status::new(code, "x"));
            assert_eq!(error.exit(), exit, "{code:?}");
        }
    }

    #[test]
    fn a_rate_rule_is_a_refusal_and_plain_exhaustion_a_retry() {
        let ruled = refusal(tonic::Code::ResourceExhausted, &[("rule", "run_rate")]);
        assert_eq!(ruled.exit(), Exit::Refused);
        let plain = CliError::from(tonic::Status::resource_exhausted("busy"));
        assert_eq!(plain.exit(), Exit::Unreachable);
        assert_eq!(plain.reason(), "RESOURCE_EXHAUSTED");
    }
}
