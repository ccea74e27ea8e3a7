//! The one mapping from the application's errors to gRPC statuses, with `google.rpc`
//! details that programs can rely on. The record layer adds the request id.

use std::collections::HashMap;

use sekisho_app::AppError;
use sekisho_audit::RuleCited;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::convert::Invalid;

/// `google.rpc.ErrorInfo.domain` of everything this gateway refuses.
pub const DOMAIN: &str = "sekisho";

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        let Invalid { code, field, message } = invalid;
        status(AppError::Invalid { code, field, message })
    }
}

/// The status of an application error.
pub(crate) fn status(error: AppError) -> Status {
    let (reason, rules) = (error.code(), error.rules());
    let mut metadata = cited(&rules);
    let mut next = |advice: &str| metadata.insert("next".to_owned(), advice.to_owned());
    let mut violation = None;
    let (code, message) = match error {
        AppError::Refused(_) => (Code::PermissionDenied, refused_by(&rules)),
        AppError::NotFound => (Code::NotFound, "there is no such thing".to_owned()),
        AppError::Unauthenticated { .. } => {
            next("log in");
            (Code::Unauthenticated, "the caller could not be authenticated".to_owned())
        }
        AppError::Invalid { field, message, .. } => {
            let text = format!("{field}: {message}");
            violation = Some((field, message));
            (Code::InvalidArgument, text)
        }
        AppError::Conflict { message, .. } => (Code::FailedPrecondition, message),
        AppError::Limit { message, .. } => (Code::ResourceExhausted, message),
        AppError::UsedUp { message, until, .. } => {
            next(&format!("ask again from {} on", until.to_rfc3339()));
            metadata.insert("not_before".to_owned(), until.to_rfc3339());
            (Code::ResourceExhausted, message)
        }
        AppError::Unavailable(cause) => {
            tracing::warn!(cause, "unavailable");
            next("try again in a moment");
            (Code::Unavailable, "the gateway cannot do this now".to_owned())
        }
        AppError::Internal(cause) => {
            tracing::error!(cause, "internal error");
            next("tell the steward the request id");
            (Code::Internal, "the gateway failed".to_owned())
        }
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if let Some((field, message)) = violation {
        details.add_bad_request_violation(field, message);
    }
    Status::with_error_details(code, message, details)
}

/// A part of a cited rule.
type Part = fn(&RuleCited) -> &str;

/// What a refusal tells of each rule.
const PARTS: [(&str, Part); 3] =
    [("policy", |rule| &rule.policy), ("rule", |rule| &rule.rule), ("clause", |rule| &rule.clause)];

/// The first rule under the names of its parts and, where there are more, all of them.
fn cited(rules: &[RuleCited]) -> HashMap<String, String> {
    let all = |part: Part| rules.iter().map(part).collect::<Vec<_>>().join(",");
    let mut metadata = HashMap::new();
    let Some(first) = rules.first() else { return metadata };
    for (name, part) in PARTS {
        metadata.insert(name.to_owned(), part(first).to_owned());
        if rules.len() > 1 {
            metadata.insert(format!("{name}_all"), all(part));
        }
    }
    metadata
}

fn refused_by(rules: &[RuleCited]) -> String {
    match rules.first() {
        Some(rule) => format!("refused by {} ({})", rule.clause, rule.rule),
        None => "refused: nothing allows it".to_owned(),
    }
}

/// A code's name as the protocol spells it, such as `PERMISSION_DENIED`.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::Timestamp;

    use super::*;

    fn rule(n: u8) -> RuleCited {
        RuleCited {
            policy: format!("policy_{n}"),
            rule: format!("rule_{n}"),
            clause: format!("AG-{n}"),
        }
    }

    #[test]
    fn every_error_has_its_code_and_reason() {
        let text = || "secret cause".to_owned();
        for (error, code, reason) in [
            (AppError::Refused(vec![rule(1)]), Code::PermissionDenied, "REFUSED"),
            (AppError::NotFound, Code::NotFound, "NOT_FOUND"),
            (
                AppError::Unauthenticated { code: "SESSION_EXPIRED" },
                Code::Unauthenticated,
                "SESSION_EXPIRED",
            ),
            (
                AppError::Invalid { code: "TOO_LONG", field: "name".into(), message: text() },
                Code::InvalidArgument,
                "TOO_LONG",
            ),
            (
                AppError::Conflict { code: "STALE_ROUND", message: text() },
                Code::FailedPrecondition,
                "STALE_ROUND",
            ),
            (
                AppError::Limit { code: "RUN_RATE", message: text() },
                Code::ResourceExhausted,
                "RUN_RATE",
            ),
            (
                AppError::UsedUp {
                    code: "RUNS_PER_DAY",
                    message: text(),
                    until: Timestamp::from_millis(0),
                },
                Code::ResourceExhausted,
                "RUNS_PER_DAY",
            ),
            (AppError::Unavailable(text()), Code::Unavailable, "UNAVAILABLE"),
            (AppError::Internal(text()), Code::Internal, "INTERNAL"),
        ] {
            let hides_cause = matches!(error, AppError::Internal(_) | AppError::Unavailable(_));
            let status = status(error);
            let info = status.get_details_error_info().unwrap();
            assert_eq!((status.code(), info.reason.as_str()), (code, reason));
            assert_eq!(info.domain, DOMAIN);
            let not_before = info.metadata.get("not_before").map(String::as_str);
            assert_eq!(not_before, (reason == "RUNS_PER_DAY").then_some("1970-01-01T00:00:00Z"));
            assert!(!(hides_cause && format!("{status:?}").contains("secret")), "{reason}");
        }
    }

    #[test]
    fn a_refusal_cites_its_first_rule_and_lists_all() {
        let status = status(AppError::Refused(vec![rule(1), rule(2)]));
        let metadata = status.get_details_error_info().unwrap().metadata;
        for (key, value) in [
            ("policy", "policy_1"),
            ("rule", "rule_1"),
            ("clause", "AG-1"),
            ("policy_all", "policy_1,policy_2"),
            ("rule_all", "rule_1,rule_2"),
            ("clause_all", "AG-1,AG-2"),
        ] {
            assert_eq!(metadata.get(key).map(String::as_str), Some(value), "{key}");
        }
    }

    #[test]
    fn a_check_outside_the_policies_cites_its_requirement_too() {
        let status = status(AppError::invalid("import_not_allowed", "component", "wasi:io"));
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["rule"], "OU-3");
        assert_eq!(info.metadata["clause"], "bring_in");
    }

    #[test]
    fn an_invalid_field_is_named() {
        let invalid =
            Invalid { code: "REQUIRED", field: "run_id".into(), message: "missing".into() };
        let bad = Status::from(invalid).get_details_bad_request().unwrap();
        assert_eq!(bad.field_violations[0].field, "run_id");
    }

    #[test]
    fn code_names_are_those_of_the_protocol() {
        for number in 0..=16 {
            let code = Code::from_i32(number);
            let squeezed = code_name(code).replace('_', "").to_lowercase();
            assert_eq!(squeezed, format!("{code:?}").to_lowercase());
        }
    }
}
