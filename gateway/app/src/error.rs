//! What a use case may answer instead of a result; each kind becomes one response.

use sekisho_access::{LogUnavailable, Refusal, SessionEnded, StepUpError};
use sekisho_audit::RuleCited;
use sekisho_domain::Timestamp;
use sekisho_identity::{certificates::CertificateError, oidc::OidcError, webauthn::WebAuthnError};
use sekisho_store::StoreError;

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The rules say no.
    #[error("refused by {}", .0.first().map_or("AU-3", |rule| rule.rule.as_str()))]
    Refused(Vec<RuleCited>),
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no such thing")]
    NotFound,
    /// The caller has no session, or did not get one.
    #[error("not authenticated: {code}")]
    Unauthenticated {
        /// Stable code.
        code: &'static str,
    },
    /// The request cannot be understood or accepted as it is.
    #[error("{field}: {message}")]
    Invalid {
        /// Stable code.
        code: &'static str,
        /// Field of the request.
        field: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The state of things does not allow it now.
    #[error("{code}: {message}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What to do next.
        message: String,
    },
    /// A limit is reached.
    #[error("{code}: {message}")]
    Limit {
        /// Stable code.
        code: &'static str,
        /// What to do next.
        message: String,
    },
    /// A quota of the agreement is used up for now.
    #[error("{code}: {message}")]
    UsedUp {
        /// Stable code.
        code: &'static str,
        /// What was agreed.
        message: String,
        /// When there is more.
        until: Timestamp,
    },
    /// Something the gateway needs is away; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of the gateway itself; the text is for its log only.
    #[error("internal: {0}")]
    Internal(String),
}

/// A check outside the policy set that a requirement of the law asks for.
struct Check {
    name: &'static str,
    rule: &'static str,
    clause: &'static str,
    /// Codes of what it refuses.
    codes: &'static [&'static str],
}

impl Check {
    fn cite(&self) -> RuleCited {
        let [policy, rule, clause] = [self.name, self.rule, self.clause].map(str::to_owned);
        RuleCited { policy, rule, clause }
    }
}

const CHECKS: &[Check] = &[
    Check {
        name: "second_factor",
        rule: "AU-1",
        clause: "auth_two_factor_bio",
        codes: &[
            "user_verification_missing",
            "not_attested",
            "attestation_untrusted",
            "model_not_allowed",
            "synced_credential",
            "wrong_origin",
            "wrong_challenge",
            "counter_regressed",
            "signature_invalid",
            "unknown_credential",
            "STEP_UP_UNKNOWN",
            "STEP_UP_OTHER_DECISION",
        ],
    },
    Check { name: "on_roster", rule: "SV-2", clause: "roster", codes: &["OFF_ROSTER"] },
    Check {
        name: "static_checks",
        rule: "OU-3",
        clause: "bring_in",
        codes: &["import_not_allowed"],
    },
    Check {
        name: "identifying_table",
        rule: "RI-1",
        clause: "bring_in",
        codes: &["TABLE_IDENTIFYING"],
    },
    Check { name: "granted_columns", rule: "AG-3", clause: "use_content", codes: &["NOT_GRANTED"] },
    Check {
        name: "question_budget",
        rule: "CT-2",
        clause: "quick_db",
        codes: &["QUESTION_BUDGET"],
    },
    Check {
        name: "run_rate",
        rule: "SV-4",
        clause: "anomaly_control",
        codes: &["RUN_RATE", "RUNS_PER_DAY"],
    },
];

impl AppError {
    /// Stable code, as clients see it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated { code }
            | Self::Invalid { code, .. }
            | Self::Conflict { code, .. }
            | Self::Limit { code, .. }
            | Self::UsedUp { code, .. } => code,
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// What the refusal rests on: the policies that decided or, where no policy is asked,
    /// the requirement that the check behind the code is there for.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleCited> {
        if let Self::Refused(rules) = self {
            return rules.clone();
        }
        let code = self.code();
        let check = CHECKS.iter().find(|check| check.codes.contains(&code));
        check.map(Check::cite).into_iter().collect()
    }

    /// A request that is wrong in one field.
    pub fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: field.to_owned(), message: message.into() }
    }
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(rules) => Self::Refused(rules),
            Refusal::Hidden => Self::NotFound,
            Refusal::Log(error) => error.into(),
        }
    }
}

impl From<LogUnavailable> for AppError {
    fn from(error: LogUnavailable) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::NotFound,
            StoreError::SessionEnded => Self::Unauthenticated { code: "SESSION_ENDED" },
            StoreError::Conflict { code: code @ "RUN_RATE", message } => {
                Self::Limit { code, message }
            }
            StoreError::Conflict { code, message } => Self::Conflict { code, message },
            StoreError::UsedUp { code, message, until } => Self::UsedUp { code, message, until },
            StoreError::Database(_) | StoreError::WriterGone | StoreError::Log(_) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<SessionEnded> for AppError {
    fn from(ended: SessionEnded) -> Self {
        let code = match ended {
            SessionEnded::Expired => "SESSION_EXPIRED",
            SessionEnded::Ended => "SESSION_ENDED",
            SessionEnded::OffRoster => "OFF_ROSTER",
        };
        Self::Unauthenticated { code }
    }
}

impl From<StepUpError> for AppError {
    fn from(error: StepUpError) -> Self {
        let code = match error {
            StepUpError::Unknown => "STEP_UP_UNKNOWN",
            StepUpError::OtherDecision => "STEP_UP_OTHER_DECISION",
        };
        Self::Unauthenticated { code }
    }
}

impl From<OidcError> for AppError {
    fn from(error: OidcError) -> Self {
        Self::Unauthenticated { code: error.code() }
    }
}

impl From<WebAuthnError> for AppError {
    fn from(error: WebAuthnError) -> Self {
        Self::Unauthenticated { code: error.code() }
    }
}

impl From<CertificateError> for AppError {
    fn from(error: CertificateError) -> Self {
        Self::invalid(error.code(), "certificate_request_pem", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_outside_the_policies_cite_their_requirement() {
        for (error, rule) in [
            (AppError::from(WebAuthnError::UserVerificationMissing), "AU-1"),
            (AppError::from(SessionEnded::OffRoster), "SV-2"),
            (AppError::invalid("import_not_allowed", "component", ""), "OU-3"),
            (AppError::Limit { code: "RUN_RATE", message: String::new() }, "SV-4"),
        ] {
            let cited = error.rules();
            assert_eq!(cited.first().map(|by| by.rule.as_str()), Some(rule), "{error}");
        }
        assert_eq!(AppError::NotFound.rules(), []);
        assert_eq!(AppError::from(SessionEnded::Expired).rules(), []);
    }
}
