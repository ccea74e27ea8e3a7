//! What a fresh assertion is bound to: SHA-256 over the full method, a zero byte, and the
//! request encoded without its `step_up` field (design invariant 7).

use prost::Message;
use sekisho_app::step_up::Decision;
use sekisho_proto::v1;
use sha2::{Digest, Sha256};

use crate::convert::{Invalid, invalid};

/// A request that decides something.
pub(crate) trait Decides: Message + Default + Clone {
    /// Full method.
    const METHOD: &'static str;

    /// Takes the assertion off, which cannot be part of what it signs.
    fn without_step_up(self) -> Self;

    /// The decision this request asks for.
    fn decision(&self) -> Decision {
        let canonical = self.clone().without_step_up().encode_to_vec();
        let hash = Sha256::new()
            .chain_update(Self::METHOD.as_bytes())
            .chain_update([0])
            .chain_update(canonical);
        Decision { method: Self::METHOD.to_owned(), sha256: hash.finalize().into() }
    }
}

macro_rules! decides {
    ($($request:ident by $method:literal;)*) => {
        $(impl Decides for v1::$request {
            const METHOD: &'static str = $method;

            fn without_step_up(mut self) -> Self {
                self.step_up = None;
                self
            }
        })*

        /// The decision a client announces. Decoding and encoding again makes its bytes
        /// canonical, so that nobody signs for something other than what will be read.
        pub(crate) fn announced(method: &str, request: &[u8]) -> Result<Decision, Invalid> {
            match method {
                $($method => decoded::<v1::$request>(request),)*
                _ => Err(no_decision()),
            }
        }
    };
}

decides! {
    CastVoteRequest by "/sekisho.v1.ReviewService/CastVote";
    RecordAgreementRequest by "/sekisho.v1.StewardService/RecordAgreement";
    CloseProjectRequest by "/sekisho.v1.StewardService/CloseProject";
    RotateVaultKeyRequest by "/sekisho.v1.StewardService/RotateVaultKey";
    OrderReidentificationRequest by "/sekisho.v1.ReidentificationService/OrderReidentification";
    ConfirmReidentificationRequest by "/sekisho.v1.ReidentificationService/ConfirmReidentification";
    DecideBringInRequest by "/sekisho.v1.BringInService/DecideBringIn";
    SetLinkageDateRequest by "/sekisho.v1.StewardService/SetLinkageDate";
}

/// The answer for a method that takes no fresh assertion, or that does not exist.
pub(crate) fn no_decision() -> Invalid {
    invalid("NO_DECISION", "method", "this method takes no fresh assertion")
}

fn decoded<R: Decides>(request: &[u8]) -> Result<Decision, Invalid> {
    R::decode(request)
        .map(|request| request.decision())
        .map_err(|_| invalid("MALFORMED_REQUEST", "request", "not a request of that method"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote() -> v1::CastVoteRequest {
        v1::CastVoteRequest {
            review_request_id: "review_1".to_owned(),
            round: 1,
            verdict: v1::Verdict::Approve.into(),
            comment: "fine".to_owned(),
            step_up: None,
        }
    }

    #[test]
    fn the_digest_covers_method_and_request_but_not_the_assertion() {
        let plain = vote();
        let mut signed = vote();
        signed.step_up = Some(v1::StepUp { step_up_id: "s".to_owned(), ..Default::default() });
        assert_eq!(plain.decision(), signed.decision());

        let expected: [u8; 32] = Sha256::digest(
            [b"/sekisho.v1.ReviewService/CastVote\0".as_slice(), &plain.encode_to_vec()].concat(),
        )
        .into();
        assert_eq!(plain.decision().sha256, expected);

        let mut other = vote();
        other.verdict = v1::Verdict::Reject.into();
        assert_ne!(plain.decision(), other.decision());
    }

    #[test]
    fn an_announcement_is_read_as_the_method_would_read_it() {
        let announce = |method, bytes: &[u8]| announced(method, bytes);
        let bytes = vote().encode_to_vec();
        assert_eq!(announce(v1::CastVoteRequest::METHOD, &bytes).unwrap(), vote().decision());

        let mut padded = bytes.clone();
        padded.extend([0xf8, 0x07, 0x01]); // an unknown field, which no reader would see
        assert_eq!(announce(v1::CastVoteRequest::METHOD, &padded).unwrap(), vote().decision());

        for (method, bytes, code) in [
            ("/sekisho.v1.RunService/StartRun", &bytes[..], "NO_DECISION"),
            (v1::CastVoteRequest::METHOD, &[0xff][..], "MALFORMED_REQUEST"),
        ] {
            assert_eq!(announce(method, bytes).unwrap_err().code, code);
        }
    }
}
