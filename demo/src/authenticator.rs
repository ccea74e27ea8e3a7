//! A software authenticator that stands in for a hardware one in the demo and tests.
//!
//! Start at [`Model::new`], which makes a "model" with its own attestation CA, and
//! [`Token::answer`], which performs one ceremony of the helper protocol
//! (sdk/cli/README.md). Copies of one model share its attestation key, as the devices of
//! a production batch do; each holds its own credentials.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose};
use serde::Deserialize;
use url::Url;
use webauthn_authenticator_rs::{
    WebauthnAuthenticator as _,
    prelude::{CreationChallengeResponse, RequestChallengeResponse, WebauthnCError},
    softtoken::{AAGUID, SoftToken},
};
use webauthn_rs_proto::{
    PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions, UserVerificationPolicy,
};

/// Why a ceremony was not performed.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticatorError {
    /// The token's file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The input is not one JSON object of the helper protocol.
    #[error("not a ceremony: {0}")]
    Input(#[from] serde_json::Error),
    /// The input names both or neither kind of options, or no valid origin.
    #[error("not a ceremony: {0}")]
    Ceremony(&'static str),
    /// The token refused.
    #[error("the token refused: {0:?}")]
    Token(WebauthnCError),
}

impl From<WebauthnCError> for AuthenticatorError {
    fn from(error: WebauthnCError) -> Self {
        Self::Token(error)
    }
}

/// A model of authenticator: what a vendor makes.
pub struct Model {
    token: Vec<u8>,
    /// Certificate of the CA that attests devices of this model, PEM.
    pub ca_pem: String,
}

impl Model {
    /// Makes a model with a CA of its own.
    ///
    /// # Errors
    /// [`AuthenticatorError::Token`] when keys or certificates cannot be made.
    pub fn new() -> Result<Self, AuthenticatorError> {
        let (token, _) = SoftToken::new(true)?;
        Ok(Self { ca_pem: ca_pem(&token)?, token: token.to_cbor()? })
    }

    /// Writes a new device of this model, without credentials.
    ///
    /// # Errors
    /// [`AuthenticatorError::File`].
    pub fn device(&self, path: &Path) -> Result<Token, AuthenticatorError> {
        fs::write(path, &self.token).map_err(file(path))?;
        Ok(Token::at(path))
    }

    /// The site's list of accepted models, holding this one alone, in the form of
    /// `authenticators.toml`.
    #[must_use]
    pub fn allow_list(&self, level: &str) -> String {
        format!(
            "[[model]]\naaguid = \"{AAGUID}\"\nmodel = \"demo software token\"\nlevel = \
             \"{level}\"\nca = '''\n{}'''\n",
            self.ca_pem
        )
    }
}

/// One device: a file with its credentials.
#[derive(Debug, Clone)]
pub struct Token {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ceremony {
    origin: Url,
    creation_options: Option<PublicKeyCredentialCreationOptions>,
    request_options: Option<PublicKeyCredentialRequestOptions>,
}

impl Token {
    /// The device kept in this file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Performs one ceremony of the helper protocol and returns the credential's JSON.
    /// Without `verify_user` the device is only touched: its answer then lacks the
    /// user-verification flag, whatever was asked for.
    ///
    /// # Errors
    /// Any [`AuthenticatorError`].
    pub fn answer(&self, input: &str, verify_user: bool) -> Result<String, AuthenticatorError> {
        let ceremony: Ceremony = serde_json::from_str(input)?;
        let bytes = fs::read(&self.path).map_err(file(&self.path))?;
        let mut token = SoftToken::from_cbor(&bytes)?;
        let credential = match (ceremony.creation_options, ceremony.request_options) {
            (Some(options), None) => {
                let options = creation(options, verify_user);
                let answer = token.do_registration(ceremony.origin, options)?;
                serde_json::to_string(&answer)?
            }
            (None, Some(options)) => {
                let options = request(options, verify_user);
                let answer = token.do_authentication(ceremony.origin, options)?;
                serde_json::to_string(&answer)?
            }
            _ => return Err(AuthenticatorError::Ceremony("expected one kind of options")),
        };
        // The counter moved on: a device that forgets it looks like a clone.
        let draft = self.path.with_extension("draft");
        fs::write(&draft, token.to_cbor()?).map_err(file(&draft))?;
        fs::rename(&draft, &self.path).map_err(file(&self.path))?;
        Ok(credential)
    }
}

fn creation(
    mut options: PublicKeyCredentialCreationOptions,
    verify_user: bool,
) -> CreationChallengeResponse {
    if let (false, Some(selection)) = (verify_user, &mut options.authenticator_selection) {
        selection.user_verification = UserVerificationPolicy::Discouraged_DO_NOT_USE;
    }
    CreationChallengeResponse { public_key: options }
}

fn request(
    mut options: PublicKeyCredentialRequestOptions,
    verify_user: bool,
) -> RequestChallengeResponse {
    if !verify_user {
        options.user_verification = UserVerificationPolicy::Discouraged_DO_NOT_USE;
    }
    RequestChallengeResponse { public_key: options, mediation: None }
}

/// The token's own serialised form holds its CA certificate as unpadded Base64 DER.
fn ca_pem(token: &SoftToken) -> Result<String, AuthenticatorError> {
    #[derive(Deserialize)]
    struct Held {
        ca_cert: String,
    }
    let held: Held = serde_json::from_value(serde_json::to_value(token)?)?;
    let der = general_purpose::URL_SAFE_NO_PAD
        .decode(held.ca_cert)
        .map_err(|_| AuthenticatorError::Ceremony("a token with a CA certificate"))?;
    let body = general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    Ok(pem)
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> AuthenticatorError {
    let path = path.to_owned();
    move |source| AuthenticatorError::File { path, source }
}

#[cfg(test)]
mod tests {
    use webauthn_rs::prelude::*;

    use super::*;

    const ORIGIN: &str = "https://sekisho.localhost";

    fn relying_party() -> Webauthn {
        let origin = Url::parse(ORIGIN).unwrap();
        let builder = WebauthnBuilder::new("sekisho.localhost", &origin).unwrap();
        builder.build().unwrap()
    }

    fn input(kind: &str, options: serde_json::Value) -> String {
        serde_json::json!({ "origin": ORIGIN, kind: options["publicKey"] }).to_string()
    }

    /// What a site that trusts the model's CA believes.
    fn authorities(model: &Model) -> AttestationCaList {
        let body: String = model.ca_pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = general_purpose::STANDARD.decode(body).unwrap();
        let mut list = AttestationCaListBuilder::new();
        list.insert_device_der(&der, AAGUID, "demo".to_owned(), Default::default()).unwrap();
        list.build()
    }

    fn enrol(model: &Model, token: &Token) -> AttestedPasskey {
        let site = relying_party();
        let (options, state) = site
            .start_attested_passkey_registration(
                Uuid::from_u128(1),
                "person",
                "Person",
                None,
                authorities(model),
                None,
            )
            .unwrap();
        let options = serde_json::to_value(options).unwrap();
        let answer = token.answer(&input("creation_options", options), true).unwrap();
        let answer = serde_json::from_str(&answer).unwrap();
        site.finish_attested_passkey_registration(&answer, &state).unwrap()
    }

    fn log_in(key: &AttestedPasskey, token: &Token, verify_user: bool) -> WebauthnResult<u32> {
        let site = relying_party();
        let keys = [key.clone()];
        let (options, state) = site.start_attested_passkey_authentication(&keys).unwrap();
        let options = serde_json::to_value(options).unwrap();
        let answer = token.answer(&input("request_options", options), verify_user).unwrap();
        let answer = serde_json::from_str(&answer).unwrap();
        let result = site.finish_attested_passkey_authentication(&answer, &state)?;
        Ok(result.counter())
    }

    #[test]
    fn a_device_enrols_attested_and_logs_in_with_a_growing_counter() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::new().unwrap();
        let token = model.device(&dir.path().join("token")).unwrap();
        let key = enrol(&model, &token);
        assert_eq!(log_in(&key, &token, true).unwrap(), 1);
        assert_eq!(log_in(&key, &token, true).unwrap(), 2);
    }

    #[test]
    fn au_1_a_touch_without_user_verification_does_not_log_in() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::new().unwrap();
        let token = model.device(&dir.path().join("token")).unwrap();
        let key = enrol(&model, &token);
        let refused = log_in(&key, &token, false).unwrap_err();
        assert!(matches!(refused, WebauthnError::UserNotVerified), "{refused:?}");
    }

    #[test]
    fn the_allow_list_names_model_level_and_ca() {
        let model = Model::new().unwrap();
        let list: toml::Table = model.allow_list("B1").parse().unwrap();
        let entry = list["model"][0].as_table().unwrap();
        assert_eq!(entry["aaguid"].as_str().unwrap(), AAGUID.to_string());
        assert!(entry["ca"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    }

    #[test]
    fn input_that_is_no_ceremony_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let token = Model::new().unwrap().device(&dir.path().join("token")).unwrap();
        assert!(token.answer("{}", true).is_err());
        assert!(token.answer(r#"{"origin":"https://x"}"#, true).is_err());
    }
}
