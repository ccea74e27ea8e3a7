//! What an answer's headers or trailers say of the outcome, and the request id put there.

use std::collections::HashMap;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use sekisho_domain::RequestId;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::status::{DOMAIN, code_name};

/// Response header that names the call in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("sekisho-request-id");

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// gRPC code name.
    pub(super) code: &'static str,
    /// Stable reason told to the client.
    pub(super) reason: Option<String>,
    /// Requirement cited to the client.
    pub(super) rule: Option<String>,
}

impl Outcome {
    /// What headers or trailers say; `None` when they say nothing.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let status = Status::from_header_map(headers)?;
        let info = status.get_details_error_info();
        let rule = info.as_ref().and_then(|info| info.metadata.get("rule").cloned());
        let reason = info.map(|info| info.reason);
        Some(Self { code: code_name(status.code()), reason, rule })
    }

    /// An answer that ended without saying how.
    pub(super) fn unsaid() -> Self {
        Self { code: code_name(Code::Unknown), reason: None, rule: None }
    }
}

/// Makes every error carry its reason and the request id, those that a handler made as
/// well as those of the transport (unknown method, unreadable or oversized message).
pub(super) fn stamp(headers: &mut HeaderMap, request_id: RequestId) {
    let Some(status) = Status::from_header_map(headers) else { return };
    if status.code() == Code::Ok {
        return;
    }
    let mut details = status.get_error_details();
    let (reason, domain, mut metadata) = match details.error_info() {
        Some(info) => (info.reason.clone(), info.domain.clone(), info.metadata.clone()),
        None => (code_name(status.code()).to_owned(), DOMAIN.to_owned(), HashMap::new()),
    };
    metadata.insert("request_id".to_owned(), request_id.to_string());
    details.set_error_info(reason, domain, metadata);
    write(headers, &Status::with_error_details(status.code(), status.message(), details));
}

/// An answer that is nothing but an error.
pub(super) fn refusal(status: Status, request_id: RequestId) -> Response<Body> {
    let mut response = status.into_http::<Body>();
    name_request(response.headers_mut(), request_id);
    stamp(response.headers_mut(), request_id);
    response
}

/// Trailers that replace others when the outcome could not be recorded.
pub(super) fn unrecorded(request_id: RequestId) -> HeaderMap {
    let details = ErrorDetails::with_error_info("UNAVAILABLE", DOMAIN, HashMap::new());
    let message = "what came of this call could not be recorded";
    let mut trailers = HeaderMap::new();
    write(&mut trailers, &Status::with_error_details(Code::Unavailable, message, details));
    stamp(&mut trailers, request_id);
    trailers
}

/// Names the call in the answer's headers, whatever came of it.
pub(super) fn name_request(headers: &mut HeaderMap, request_id: RequestId) {
    if let Ok(value) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
}

fn write(headers: &mut HeaderMap, status: &Status) {
    // A status without metadata always fits into headers: tonic escapes its message.
    if status.add_header(headers).is_err() {
        headers.insert("grpc-status", HeaderValue::from_static("13"));
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::Timestamp;

    use super::*;

    fn headers(status: &Status) -> HeaderMap {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers
    }

    #[test]
    fn every_error_gets_a_reason_and_the_request_id() {
        let request_id = RequestId::new(Timestamp::from_millis(1));
        let mut details = ErrorDetails::with_error_info("TOO_LONG", DOMAIN, HashMap::new());
        details.add_bad_request_violation("name", "too long");
        let ours = Status::with_error_details(Code::InvalidArgument, "name: 長い", details);
        for (status, reason) in [
            (ours, "TOO_LONG"),
            (Status::unimplemented(""), "UNIMPLEMENTED"),
            (Status::out_of_range("message too large"), "OUT_OF_RANGE"),
        ] {
            let mut headers = headers(&status);
            stamp(&mut headers, request_id);
            let stamped = Status::from_header_map(&headers).unwrap();
            let info = stamped.get_details_error_info().unwrap();
            assert_eq!((stamped.code(), stamped.message()), (status.code(), status.message()));
            assert_eq!(info.reason, reason);
            assert_eq!(info.metadata["request_id"], request_id.to_string());
            let violations = |status: &Status| format!("{:?}", status.get_details_bad_request());
            assert_eq!(violations(&stamped), violations(&status));
            assert_eq!(Outcome::of(&headers).unwrap().reason.as_deref(), Some(reason));
        }
    }

    #[test]
    fn success_stays_as_it_is() {
        let mut said = headers(&Status::ok(""));
        let before = said.clone();
        stamp(&mut said, RequestId::new(Timestamp::from_millis(1)));
        assert_eq!(said, before);
        assert_eq!(Outcome::of(&said), Some(Outcome { code: "OK", reason: None, rule: None }));
        assert_eq!(Outcome::of(&HeaderMap::new()), None);
    }
}
