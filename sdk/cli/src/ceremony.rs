//! WebAuthn ceremonies through the helper program named by `SEKISHO_AUTHENTICATOR`.
//!
//! Protocol (also in sdk/cli/README.md): one JSON object on standard input,
//! `{"origin": .., "creation_options": {..}}` or `{"origin": ..,
//! "request_options": {..}}`; one JSON credential on standard output. Anything
//! else than exit status 0 is a failure and standard error is shown.
//!
//! Invariant: [`step_up`] signs only a decision whose hash it computed itself.

use std::{env, process::Stdio, time::Duration};

use prost::Message;
use sekisho_proto::v1::{BeginStepUpRequest, StepUp, session_service_client::SessionServiceClient};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, process::Command, time};
use tonic::transport::Channel;

use crate::{error::CliError, screen::Screen};

const CEREMONY_TIMEOUT: Duration = Duration::from_secs(120);

/// Which ceremony, with its options as the gateway sent them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ceremony<'a> {
    /// `navigator.credentials.create`.
    Create(&'a str),
    /// `navigator.credentials.get`.
    Assert(&'a str),
}

/// Performs a ceremony and returns the credential as JSON text.
///
/// # Errors
/// Fails when no helper is named, it cannot be started, takes longer than 120 s,
/// exits with a failure, or answers with something that is not a JSON object.
pub(crate) async fn perform(ceremony: Ceremony<'_>, origin: &str) -> Result<String, CliError> {
    let fail = |text: String| CliError::Authenticator(text);
    let program = env::var_os("SEKISHO_AUTHENTICATOR")
        .filter(|program| !program.is_empty())
        .ok_or_else(|| {
            fail("no helper program is named; a login from the terminal is not possible without one yet".to_owned())
        })?;
    let input = input(ceremony, origin)?;
    let mut child = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail(format!("{}: {error}", program.to_string_lossy())))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input says why on standard error.
        let _ = stdin.write_all(input.to_string().as_bytes()).await;
    }
    let output = time::timeout(CEREMONY_TIMEOUT, child.wait_with_output())
        .await
        .map_err(|_| fail("no answer within 120 seconds".to_owned()))?
        .map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(fail(format!("{} ({})", said.trim(), output.status)));
    }
    credential(&output.stdout)
}

/// Asks for a fresh assertion for exactly this request to exactly this method.
/// `request` must have its `step_up` field unset.
///
/// # Errors
/// Fails when the gateway refuses, the helper fails, or the gateway's decision
/// hash is not SHA-256(method, 0x00, request).
pub(crate) async fn step_up<M: Message>(
    channel: &Channel,
    screen: Screen,
    method: &str,
    request: &M,
) -> Result<StepUp, CliError> {
    let request = request.encode_to_vec();
    let ours = decision_sha256(method, &request);
    let answer = SessionServiceClient::new(channel.clone())
        .begin_step_up(BeginStepUpRequest { method: method.to_owned(), request })
        .await?
        .into_inner();
    if answer.decision_sha256 != ours {
        return Err(CliError::DecisionMismatch {
            ours: hex::encode(ours),
            theirs: hex::encode(&answer.decision_sha256),
        });
    }
    screen.remark(&format!("signing decision {}", hex::encode(ours)));
    let ceremony = Ceremony::Assert(&answer.request_options_json);
    Ok(StepUp {
        credential_json: perform(ceremony, &answer.origin).await?,
        step_up_id: answer.step_up_id,
    })
}

/// SHA-256 over the method's bytes, one zero byte and the encoded request.
#[must_use]
pub(crate) fn decision_sha256(method: &str, request: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(method.as_bytes())
        .chain_update([0])
        .chain_update(request)
        .finalize()
        .into()
}

fn input(ceremony: Ceremony<'_>, origin: &str) -> Result<Value, CliError> {
    let (name, text) = match ceremony {
        Ceremony::Create(text) => ("creation_options", text),
        Ceremony::Assert(text) => ("request_options", text),
    };
    let options: Value =
        serde_json::from_str(text).map_err(|_| CliError::Contract("WebAuthn options in JSON"))?;
    Ok(json!({ "origin": origin, name: options }))
}

fn credential(stdout: &[u8]) -> Result<String, CliError> {
    match serde_json::from_slice::<Value>(stdout) {
        Ok(value) if value.is_object() => Ok(value.to_string()),
        _ => Err(CliError::Authenticator("the helper's answer is not a JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_hash_separates_method_and_request() {
        // printf 'ab\0c' | sha256sum
        assert_eq!(
            hex::encode(decision_sha256("ab", b"c")),
            "6c032e631d39a14d85aff7e319546af701e26c97b57ca95fbfe9c6ba855f67bf"
        );
        assert_ne!(decision_sha256("ab", b"c"), decision_sha256("a", b"bc"));
    }

    #[test]
    fn options_pass_through_unchanged() {
        let value = input(Ceremony::Assert(r#"{"rpId":"x"}"#), "https://o").expect("json");
        assert_eq!(value["origin"], "https://o");
        assert_eq!(value["request_options"]["rpId"], "x");
        assert!(input(Ceremony::Create("not json"), "https://o").is_err());
    }

    #[test]
    fn an_answer_that_is_no_object_is_refused() {
        assert!(credential(b"[]").is_err());
        assert!(credential(b"oops").is_err());
        assert!(credential(br#"{"id":"x"}"#).is_ok());
    }
}
