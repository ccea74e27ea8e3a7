//! Authorization codes and ID tokens.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AccessToken, Audience, AuthenticationContextClass, AuthenticationMethodReference,
    EmptyAdditionalClaims, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey as _, StandardClaims,
    SubjectIdentifier,
    core::{
        CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
        CoreRsaPrivateSigningKey,
    },
};
use rsa::{RsaPrivateKey, pkcs1::EncodeRsaPrivateKey as _, pkcs8::LineEnding, rand_core::OsRng};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// A code that is not redeemed within this time is void (RFC 6749, section 4.1.2).
const CODE_LIFE: Duration = Duration::from_secs(60);
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(5);
const KEY_BITS: usize = 2048;

/// The signing key could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SigningKeyError(String);

/// What a code stands for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) subject: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) acr: String,
    pub(super) auth_time: DateTime<Utc>,
}

pub(super) struct Tokens {
    issuer: String,
    key: CoreRsaPrivateSigningKey,
    codes: Mutex<HashMap<String, (Grant, Instant)>>,
}

impl Tokens {
    pub(super) fn new(issuer: String) -> Result<Self, SigningKeyError> {
        let fail = |error: String| SigningKeyError(error);
        let key = RsaPrivateKey::new(&mut OsRng, KEY_BITS).map_err(|e| fail(e.to_string()))?;
        let pem = key.to_pkcs1_pem(LineEnding::LF).map_err(|e| fail(e.to_string()))?;
        let id = JsonWebKeyId::new(Uuid::now_v7().to_string());
        let key = CoreRsaPrivateSigningKey::from_pem(&pem, Some(id)).map_err(fail)?;
        Ok(Self { issuer, key, codes: Mutex::default() })
    }

    /// The public key set.
    pub(super) fn jwks(&self) -> CoreJsonWebKeySet {
        CoreJsonWebKeySet::new(vec![self.key.as_verification_key()])
    }

    /// A fresh code for a grant.
    pub(super) fn code_for(&self, grant: Grant) -> String {
        // Two version 4 ids: 244 random bits.
        let code = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, (_, made)| made.elapsed() < CODE_LIFE);
        codes.insert(code.clone(), (grant, Instant::now()));
        code
    }

    /// Redeems a code, once, for the client and redirect it was made for.
    pub(super) fn redeem(
        &self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        code_verifier: &str,
    ) -> Option<Grant> {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let (grant, made) = codes.remove(code)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier.as_bytes()));
        let proved: bool = challenge.as_bytes().ct_eq(grant.code_challenge.as_bytes()).into();
        let fits = grant.client_id == client_id && grant.redirect_uri == redirect_uri;
        (proved && fits && made.elapsed() < CODE_LIFE).then_some(grant)
    }

    /// The token response for a redeemed grant.
    pub(super) fn response(&self, grant: &Grant, now: DateTime<Utc>) -> Option<Value> {
        let access_token = Uuid::new_v4().simple().to_string();
        let claims = CoreIdTokenClaims::new(
            IssuerUrl::new(self.issuer.clone()).ok()?,
            vec![Audience::new(grant.client_id.clone())],
            now + TOKEN_LIFE,
            now,
            StandardClaims::new(SubjectIdentifier::new(grant.subject.clone())),
            EmptyAdditionalClaims {},
        )
        .set_nonce(grant.nonce.clone().map(Nonce::new))
        .set_auth_time(Some(grant.auth_time))
        .set_auth_context_ref(Some(AuthenticationContextClass::new(grant.acr.clone())))
        .set_auth_method_refs(Some(vec![AuthenticationMethodReference::new("pwd".to_owned())]));
        let id_token = CoreIdToken::new(
            claims,
            &self.key,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            Some(&AccessToken::new(access_token.clone())),
            None,
        )
        .ok()?;
        Some(json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE.num_seconds(),
            "scope": "openid",
            "id_token": serde_json::to_value(&id_token).ok()?,
        }))
    }
}
