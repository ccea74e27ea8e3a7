//! Login, session, fresh assertions.

use sekisho_app::{
    login::{Ceremony, CeremonyOptions, EnrolledCredential, Visitor},
    step_up::StepUpAnswer,
};
use sekisho_proto::v1::{self, session_service_server::SessionService};
use tonic::{Request, Response, Status};

use super::{Answer, Desk, status};
use crate::{
    convert::{
        Shown, biometric_level, bounded, comment, document, id, name, one_line, optional_line,
        required, show,
    },
    decision::{Decides, announced, no_decision},
    hidden::is_hidden,
    limits::CREDENTIAL_BYTES,
    record::{admitted, origin},
};

/// Longest redirect address or answer of a provider, in characters.
const ADDRESS_CHARS: usize = 4000;

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl SessionService for Service {
    async fn begin_login(
        &self,
        request: Request<v1::BeginLoginRequest>,
    ) -> Answer<v1::BeginLoginResponse> {
        let (visitor, message) = visitor(request)?;
        let redirect_uri = one_line(message.redirect_uri, "redirect_uri", ADDRESS_CHARS)?;
        let invitation = optional_line(message.invitation, "invitation")?;
        let app = &self.0.app;
        let login =
            app.begin_login(visitor, &redirect_uri, invitation.as_deref()).await.map_err(status)?;
        Ok(Response::new(v1::BeginLoginResponse {
            login_id: login.login_id.to_string(),
            authorization_url: login.authorization_url,
        }))
    }

    async fn complete_first_factor(
        &self,
        request: Request<v1::CompleteFirstFactorRequest>,
    ) -> Answer<v1::CompleteFirstFactorResponse> {
        let (visitor, message) = visitor(request)?;
        let login_id = id(&message.login_id, "login_id")?;
        let state = one_line(message.state, "state", ADDRESS_CHARS)?;
        let code = one_line(message.code, "code", ADDRESS_CHARS)?;
        let iss = one_line(message.iss, "iss", ADDRESS_CHARS)?;
        let iss = (!iss.is_empty()).then_some(iss);
        let app = &self.0.app;
        let ceremony = app
            .complete_first_factor(visitor, login_id, &state, &code, iss.as_deref())
            .await
            .map_err(status)?;
        Ok(Response::new(ceremony_message(ceremony)))
    }

    async fn complete_login(
        &self,
        request: Request<v1::CompleteLoginRequest>,
    ) -> Answer<v1::CompleteLoginResponse> {
        let (visitor, message) = visitor(request)?;
        let login_id = id(&message.login_id, "login_id")?;
        let credential = bounded(message.credential_json, "credential_json", CREDENTIAL_BYTES)?;
        let csr = document(message.certificate_request_pem, "certificate_request_pem")?;
        let app = &self.0.app;
        let opened =
            app.complete_login(visitor, login_id, &credential, &csr).await.map_err(status)?;
        Ok(Response::new(v1::CompleteLoginResponse {
            session: Some(opened.session.message()),
            certificate_chain_pem: opened.certificate_chain_pem,
        }))
    }

    async fn complete_enrolment(
        &self,
        request: Request<v1::CompleteEnrolmentRequest>,
    ) -> Answer<v1::CompleteEnrolmentResponse> {
        let (visitor, message) = visitor(request)?;
        let login_id = id(&message.login_id, "login_id")?;
        let credential = bounded(message.credential_json, "credential_json", CREDENTIAL_BYTES)?;
        let label = name(message.label, "label")?;
        let app = &self.0.app;
        let enrolled =
            app.complete_enrolment(visitor, login_id, &credential, label).await.map_err(status)?;
        let EnrolledCredential { credential_id, model, level } = enrolled;
        Ok(Response::new(v1::CompleteEnrolmentResponse {
            credential_id,
            authenticator_model: model,
            biometric_level: biometric_level(level).into(),
        }))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Answer<v1::WhoAmIResponse> {
        let (caller, _) = admitted(request)?;
        let session = self.0.app.who_am_i(&caller).await.map_err(status)?;
        Ok(Response::new(v1::WhoAmIResponse { session: Some(show(session)) }))
    }

    async fn logout(&self, request: Request<v1::LogoutRequest>) -> Answer<v1::LogoutResponse> {
        let (caller, _) = admitted(request)?;
        self.0.app.logout(&caller).await.map_err(status)?;
        Ok(Response::new(v1::LogoutResponse {}))
    }

    async fn begin_step_up(
        &self,
        request: Request<v1::BeginStepUpRequest>,
    ) -> Answer<v1::BeginStepUpResponse> {
        let (caller, message) = admitted(request)?;
        if is_hidden(&message.method) && self.0.app.hides_reidentification(&caller) {
            // As for a method that does not exist.
            return Err(no_decision().into());
        }
        let decision = announced(&message.method, &message.request)?;
        let begun = self.0.app.begin_step_up(&caller, decision).await.map_err(status)?;
        Ok(Response::new(v1::BeginStepUpResponse {
            step_up_id: begun.step_up_id.to_string(),
            request_options_json: begun.request_options_json,
            origin: begun.origin,
            decision_sha256: begun.decision_sha256.to_vec(),
        }))
    }

    async fn revoke_session(
        &self,
        request: Request<v1::RevokeSessionRequest>,
    ) -> Answer<v1::RevokeSessionResponse> {
        let (caller, message) = admitted(request)?;
        let session_id = id(&message.session_id, "session_id")?;
        let reason = comment(message.reason, "reason")?;
        self.0.app.revoke_session(&caller, session_id, reason).await.map_err(status)?;
        Ok(Response::new(v1::RevokeSessionResponse {}))
    }
}

/// Who makes a call that needs no session.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
fn visitor<T>(request: Request<T>) -> Result<(Visitor, T), Status> {
    let (peer, request_id) = origin(&request)?;
    Ok((Visitor { peer: peer.address, request_id }, request.into_inner()))
}

fn ceremony_message(ceremony: Ceremony) -> v1::CompleteFirstFactorResponse {
    use v1::complete_first_factor_response::Ceremony as Message;
    let Ceremony { options, origin } = ceremony;
    let message = match options {
        CeremonyOptions::Create(json) => Message::CreationOptionsJson(json),
        CeremonyOptions::Request(json) => Message::RequestOptionsJson(json),
    };
    v1::CompleteFirstFactorResponse { ceremony: Some(message), origin }
}

/// The assertion that came with a decision.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(super) fn step_up<R: Decides>(
    request: &R,
    step_up: Option<v1::StepUp>,
) -> Result<StepUpAnswer, Status> {
    let step_up = required(step_up, "step_up")?;
    Ok(StepUpAnswer {
        step_up_id: id(&step_up.step_up_id, "step_up.step_up_id")?,
        credential_json: bounded(
            step_up.credential_json,
            "step_up.credential_json",
            CREDENTIAL_BYTES,
        )?,
        decision: request.decision(),
    })
}
