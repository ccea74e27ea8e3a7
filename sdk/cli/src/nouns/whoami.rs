//! `sekisho whoami` and `sekisho logout`.

use sekisho_proto::v1::{
    BiometricLevel, LogoutRequest, Role, Session, WhoAmIRequest,
    session_service_client::SessionServiceClient,
};

use crate::{
    error::CliError,
    gateway::Desk,
    screen::{fields, instant, plain},
};

pub(crate) async fn run(desk: &Desk) -> Result<(), CliError> {
    let mut client = SessionServiceClient::new(desk.connect_session().await?);
    let answer = client.who_am_i(WhoAmIRequest {}).await?.into_inner();
    let session = answer.session.ok_or(CliError::Contract("a session"))?;
    desk.screen.record("Session", &session, || describe(&session))
}

/// Ends the session at the gateway, then removes it here even if that failed.
pub(crate) async fn logout(desk: &Desk) -> Result<(), CliError> {
    let ended = async {
        let mut client = SessionServiceClient::new(desk.connect_session().await?);
        client.logout(LogoutRequest {}).await?;
        Ok::<_, CliError>(())
    };
    let ended = ended.await;
    desk.profile.forget_session()?;
    ended?;
    if desk.screen.json {
        return desk.screen.value(&serde_json::json!({ "ended": true }));
    }
    desk.screen.text("logged out")
}

pub(crate) fn describe(session: &Session) -> String {
    let roles: Vec<String> = session.roles().map(role).collect();
    fields(&[
        ("person", session.display_name.clone()),
        ("person id", session.person_id.clone()),
        ("organisation", session.organisation_id.clone()),
        ("roles", roles.join(", ")),
        ("biometric level", level(session.biometric_level)),
        ("session", session.session_id.clone()),
        ("until", instant(session.expires_at.as_ref())),
    ])
}

pub(crate) fn role(role: Role) -> String {
    plain(role.as_str_name(), "ROLE_")
}

pub(crate) fn level(level: i32) -> String {
    let level = BiometricLevel::try_from(level).unwrap_or_default();
    plain(level.as_str_name(), "BIOMETRIC_LEVEL_").to_ascii_uppercase()
}
