//! Fresh assertions for decisions that matter (design invariant 7).

use sekisho_access::{Caller, FreshAssertion, action::BeginStepUp, resource::Site};
use sekisho_audit::{Event, EventKind};
use sekisho_domain::StepUpId;
use sekisho_identity::webauthn::Purpose;

use crate::{App, AppError, login::stored, session_of};

/// What is about to be decided: a method, and the SHA-256 over the method's name, a zero
/// byte and the encoded request without its assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Full method.
    pub method: String,
    /// The digest.
    pub sha256: [u8; 32],
}

/// A ceremony to perform for one decision.
#[derive(Debug)]
pub struct StepUpStarted {
    /// Names it in the deciding call.
    pub step_up_id: StepUpId,
    /// Options as JSON of WebAuthn Level 3.
    pub request_options_json: String,
    /// Origin the authenticator must see.
    pub origin: String,
    /// What the assertion is bound to.
    pub decision_sha256: [u8; 32],
}

/// The answer, as it comes with the deciding call.
#[derive(Debug)]
pub struct StepUpAnswer {
    /// Which ceremony.
    pub step_up_id: StepUpId,
    /// The assertion.
    pub credential_json: String,
    /// What the deciding call asks for, digested again from the call itself.
    pub decision: Decision,
}

impl App {
    /// Begins a fresh assertion for exactly this decision.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] when none of the caller's authenticators will do.
    pub async fn begin_step_up(
        &self,
        caller: &Caller,
        decision: Decision,
    ) -> Result<StepUpStarted, AppError> {
        let session = session_of(caller)?;
        let (session_id, person_id) = (session.record().session_id, session.person().person_id);
        let _permit = self.authorizer.authorize::<BeginStepUp>(caller, Site).await?;
        let credentials = stored(&self.store.credentials(person_id).await?);
        let purpose = Purpose::Decision(decision.sha256);
        let now = self.clock.now();
        let (request_options_json, state) =
            self.second_factor.begin_assertion(&credentials, purpose, now.seconds())?;
        let digest = hex::encode(decision.sha256);
        let step_up_id = self.step_ups.begin(session_id, digest, state, now);
        Ok(StepUpStarted {
            step_up_id,
            request_options_json,
            origin: self.second_factor.origin(),
            decision_sha256: decision.sha256,
        })
    }

    /// Judges the answer; the raw assertion is in the log before this returns.
    pub(crate) async fn redeem_step_up(
        &self,
        caller: &Caller,
        answer: StepUpAnswer,
    ) -> Result<FreshAssertion, AppError> {
        let session = session_of(caller)?;
        let now = self.clock.now();
        let decision_sha256 = hex::encode(answer.decision.sha256);
        let session_id = session.record().session_id;
        let (redeemed, state) =
            self.step_ups.redeem(answer.step_up_id, session_id, &decision_sha256, now)?;
        let (credential, evidence_json) =
            self.check_assertion(session.person(), state, &answer.credential_json, now).await?;
        let event = Event {
            at: now,
            request_id: Some(caller.request_id),
            actor: caller.actor(),
            kind: EventKind::StepUp {
                decision_sha256,
                method: answer.decision.method,
                evidence: evidence_json,
            },
        };
        let level = credential.after.level;
        self.store.record_step_up(credential, event).await?;
        Ok(redeemed.verified(level))
    }
}
