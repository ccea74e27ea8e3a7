//! `sekisho login`: two factors in, one short-lived certificate out.

use std::path::PathBuf;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use sekisho_proto::v1::{
    BeginLoginRequest, CompleteEnrolmentRequest, CompleteFirstFactorRequest,
    CompleteFirstFactorResponse, CompleteLoginRequest, Session,
    complete_first_factor_response::Ceremony as Wanted,
    session_service_client::SessionServiceClient,
};
use tonic::transport::Channel;
use url::Url;

use crate::{
    ceremony::{Ceremony, perform},
    error::CliError,
    gateway::Desk,
    loopback::{Loopback, open_browser, state_of},
    nouns::whoami,
    profile::StoredSession,
};

/// Arguments of `sekisho login`.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Address of the gateway; remembered in the profile
    #[arg(long, value_name = "URL")]
    gateway: Option<Url>,
    /// CA certificate (PEM) that authenticates the gateway; copied into the profile
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// One-time invitation: enrol an authenticator first, then log in
    #[arg(long, value_name = "CODE")]
    invitation: Option<String>,
    /// Your name for the authenticator being enrolled
    #[arg(long, default_value = "authenticator", requires = "invitation")]
    label: String,
    /// Only print the address of the sign-in page
    #[arg(long)]
    no_browser: bool,
}

impl Login {
    /// Enrols if an invitation was given, then logs in and stores the session.
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        desk.profile.set_up(self.gateway.clone(), self.ca.as_deref())?;
        let mut client = SessionServiceClient::new(desk.connect_public().await?);
        if let Some(invitation) = &self.invitation {
            self.enrol(desk, &mut client, invitation).await?;
        }
        let (login_id, first) = self.first_factor(desk, &mut client, "").await?;
        let Some(Wanted::RequestOptionsJson(options)) = first.ceremony else {
            return Err(CliError::Contract("the options of an assertion"));
        };
        desk.screen.remark("second factor: use your authenticator");
        let credential_json = perform(Ceremony::Assert(&options), &first.origin).await?;
        let (key, certificate_request_pem) = certificate_request()?;
        let answer = client
            .complete_login(CompleteLoginRequest {
                login_id,
                credential_json,
                certificate_request_pem,
            })
            .await?
            .into_inner();
        let session = answer.session.ok_or(CliError::Contract("a session"))?;
        store(desk, &session, answer.certificate_chain_pem, &key)?;
        desk.screen.record("Session", &session, || whoami::describe(&session))
    }

    async fn enrol(
        &self,
        desk: &Desk,
        client: &mut SessionServiceClient<Channel>,
        invitation: &str,
    ) -> Result<(), CliError> {
        let (login_id, first) = self.first_factor(desk, client, invitation).await?;
        let Some(Wanted::CreationOptionsJson(options)) = first.ceremony else {
            return Err(CliError::Contract("the options of an enrolment"));
        };
        desk.screen.remark("enrolment: use the authenticator you want to register");
        let credential_json = perform(Ceremony::Create(&options), &first.origin).await?;
        let enrolled = client
            .complete_enrolment(CompleteEnrolmentRequest {
                login_id,
                credential_json,
                label: self.label.clone(),
            })
            .await?
            .into_inner();
        desk.screen.remark(&format!(
            "enrolled {} as {:?}, level {}; now the login itself",
            enrolled.authenticator_model,
            self.label,
            whoami::level(enrolled.biometric_level),
        ));
        Ok(())
    }

    async fn first_factor(
        &self,
        desk: &Desk,
        client: &mut SessionServiceClient<Channel>,
        invitation: &str,
    ) -> Result<(String, CompleteFirstFactorResponse), CliError> {
        let loopback = Loopback::open().await?;
        let begun = client
            .begin_login(BeginLoginRequest {
                redirect_uri: loopback.redirect_uri().to_owned(),
                invitation: invitation.to_owned(),
            })
            .await?
            .into_inner();
        let state = state_of(&begun.authorization_url)?;
        desk.screen.remark(&format!("first factor: sign in at\n  {}", begun.authorization_url));
        if !self.no_browser {
            open_browser(&begun.authorization_url);
        }
        let answer = loopback.wait(&state).await?;
        let first = client
            .complete_first_factor(CompleteFirstFactorRequest {
                login_id: begun.login_id.clone(),
                state: answer.state,
                code: answer.code,
                iss: answer.iss,
            })
            .await?
            .into_inner();
        Ok((begun.login_id, first))
    }
}

/// A fresh P-256 key and its PKCS#10 request. The gateway chooses the name in the
/// certificate; the request's own subject only says what made it.
fn certificate_request() -> Result<(KeyPair, String), CliError> {
    let make = || {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "sekisho session");
        let request = params.serialize_request(&key)?.pem()?;
        Ok::<_, rcgen::Error>((key, request))
    };
    make().map_err(|error| CliError::Profile(format!("session key: {error}")))
}

fn store(
    desk: &Desk,
    session: &Session,
    certificate_chain_pem: String,
    key: &KeyPair,
) -> Result<(), CliError> {
    let expires = session.expires_at.as_ref();
    let stored = StoredSession {
        certificate_chain_pem,
        key_pem: key.serialize_pem(),
        expires_at: expires.ok_or(CliError::Contract("the session's end"))?.seconds,
    };
    desk.profile.store_session(&session.session_id, &stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_request_is_made_for_a_new_key_each_time() {
        let (first, request) = certificate_request().expect("made");
        let (second, _) = certificate_request().expect("made");
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        assert_ne!(first.public_key_raw(), second.public_key_raw());
    }
}
