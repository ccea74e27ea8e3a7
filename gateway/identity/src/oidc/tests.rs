mod provider;

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::*;
use provider::{CLIENT_ID, FakeProvider, NOW, SECRET};

const REDIRECT: &str = "http://127.0.0.1:45871/callback";
const ACR: &str = "urn:example:loa:2";

fn config(provider: &FakeProvider) -> OidcConfig {
    OidcConfig {
        issuer: provider.issuer.clone(),
        client_id: CLIENT_ID.into(),
        client_secret: Some(SECRET.into()),
        required_acr: vec![ACR.into()],
        max_auth_age_seconds: 300,
        extra_ca_pem: None,
        allow_http_loopback: true,
    }
}

async fn log_in(provider: &FakeProvider) -> Result<FirstFactor, OidcError> {
    let client = OidcProvider::discover(config(provider)).await.unwrap();
    log_in_with(&client, provider).await
}

async fn log_in_with(
    client: &OidcProvider,
    provider: &FakeProvider,
) -> Result<FirstFactor, OidcError> {
    let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
    let answer = provider.authorize(&url);
    client.complete(pending, &answer.state, &answer.code, Some(&answer.iss), NOW + 5).await
}

/// A login whose ID token claims are changed before signing.
async fn log_in_with_claims(change: impl Fn(&mut Value) + Send + 'static) -> &'static str {
    let provider = FakeProvider::start().await;
    provider.faults().claims = Some(Box::new(change));
    log_in(&provider).await.unwrap_err().code()
}

#[tokio::test]
async fn au_1_a_login_at_the_provider_yields_the_first_factor() {
    let provider = FakeProvider::start().await;
    let factor = log_in(&provider).await.unwrap();
    let expected = FirstFactor {
        issuer: provider.issuer.clone(),
        subject: "hanako".into(),
        acr: Some(ACR.into()),
        auth_time: NOW - 10,
    };
    assert_eq!(factor, expected);
}

#[tokio::test]
async fn the_authorization_url_asks_for_everything_that_is_checked_later() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let fixed = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("scope", "openid"),
        ("redirect_uri", REDIRECT),
        ("code_challenge_method", "S256"),
        ("max_age", "300"),
        ("acr_values", ACR),
    ];
    for (name, value) in fixed {
        assert_eq!(query[name], value, "{name}");
    }
    assert!(query["state"].len() >= 22 && query["nonce"].len() >= 22);
    assert!(!url.as_str().contains(pending.verifier.secret()));
    let shown = format!("{pending:?} {:?}", client.config);
    for secret in [query["state"].as_str(), &query["nonce"], pending.verifier.secret(), SECRET] {
        assert!(!shown.contains(secret));
    }
}

#[tokio::test]
async fn only_loopback_redirects_are_accepted() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    client.begin("http://[::1]:9000/callback", NOW).unwrap();
    for bad in [
        "http://localhost:9000/callback",
        "http://127.0.0.1/callback",
        "https://127.0.0.1:9000/callback",
        "http://127.0.0.2:9000/callback",
        "http://127.0.0.1:9000/other",
        "http://127.0.0.1:9000/callback?x=1",
        "http://127.0.0.1:9000/callback#x",
        "http://user@127.0.0.1:9000/callback",
        "http://127.0.0.1:9000/a/../callback",
        "http://127.1:9000/callback",
        "http://evil.example:9000/callback",
        "sekisho://callback",
        "",
    ] {
        assert_eq!(client.begin(bad, NOW).unwrap_err().code(), "redirect_refused", "{bad}");
    }
}

#[tokio::test]
async fn a_wrong_state_is_refused_before_the_code_is_spent() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    for forged in ["", "x"] {
        let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
        let answer = provider.authorize(&url);
        let state = format!("{forged}{}", &answer.state[1..]);
        let refused = client
            .complete(pending, &state, &answer.code, Some(&answer.iss), NOW)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "wrong_state");
    }
    assert_eq!(provider.shared.token_calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    // The fake provider promises to name itself (RFC 9207), so silence is refused too.
    for iss in [Some("https://evil.example"), Some(""), None] {
        let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
        let answer = provider.authorize(&url);
        let refused =
            client.complete(pending, &answer.state, &answer.code, iss, NOW).await.unwrap_err();
        assert_eq!(refused.code(), "wrong_issuer");
    }
    assert_eq!(provider.shared.token_calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_provider_that_never_promised_to_name_itself_may_be_silent() {
    let provider = FakeProvider::start().await;
    provider.faults().silent_issuer = true;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
    let answer = provider.authorize(&url);
    client.complete(pending, &answer.state, &answer.code, None, NOW).await.unwrap();
}

#[tokio::test]
async fn a_late_or_malformed_answer_is_refused() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
    let answer = provider.authorize(&url);
    let late = NOW + LOGIN_SECONDS + 1;
    let refused = client
        .complete(pending, &answer.state, &answer.code, Some(&answer.iss), late)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "login_expired");
    for code in [String::new(), "x".repeat(5000)] {
        let (url, pending) = client.begin(REDIRECT, NOW).unwrap();
        let answer = provider.authorize(&url);
        let refused = client
            .complete(pending, &answer.state, &code, Some(&answer.iss), NOW)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "malformed_answer");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_only_with_its_verifier() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    let (first_url, first) = client.begin(REDIRECT, NOW).unwrap();
    let (second_url, second) = client.begin(REDIRECT, NOW).unwrap();
    let stolen = provider.authorize(&first_url);
    let own = provider.authorize(&second_url);
    let refused =
        client.complete(second, &own.state, &stolen.code, Some(&own.iss), NOW).await.unwrap_err();
    assert_eq!(refused.code(), "code_refused");
    let refused = client
        .complete(first, &stolen.state, &stolen.code, Some(&stolen.iss), NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "code_refused");
}

#[tokio::test]
async fn a_token_of_another_login_or_client_is_refused() {
    assert_eq!(log_in_with_claims(|c| c["nonce"] = json!("other")).await, "wrong_nonce");
    assert_eq!(log_in_with_claims(|c| c["nonce"] = Value::Null).await, "wrong_nonce");
    assert_eq!(log_in_with_claims(|c| c["aud"] = json!("other")).await, "wrong_audience");
    let both = |c: &mut Value| c["aud"] = json!([CLIENT_ID, "other"]);
    assert_eq!(log_in_with_claims(both).await, "wrong_audience");
    assert_eq!(log_in_with_claims(|c| c["azp"] = json!("other")).await, "wrong_audience");
    let issuer = |c: &mut Value| c["iss"] = json!("https://evil.example");
    assert_eq!(log_in_with_claims(issuer).await, "wrong_issuer");
}

#[tokio::test]
async fn a_token_outside_its_time_is_refused_beyond_the_skew() {
    // complete() is called at NOW + 5.
    let ended = "token_outside_its_time";
    let exp = |at: i64| log_in_with_claims(move |c| c["exp"] = json!(at));
    assert_eq!(exp(NOW - 56).await, ended);
    let iat = |at: i64| log_in_with_claims(move |c| c["iat"] = json!(at));
    assert_eq!(iat(NOW - 61).await, ended);
    assert_eq!(iat(NOW + 66).await, ended);
    let provider = FakeProvider::start().await;
    provider.faults().claims = Some(Box::new(|c| {
        c["exp"] = json!(NOW - 50);
        c["iat"] = json!(NOW + 60);
    }));
    log_in(&provider).await.unwrap();
}

#[tokio::test]
async fn how_and_when_the_person_authenticated_is_checked() {
    let old = "authentication_too_old";
    assert_eq!(log_in_with_claims(|c| c["auth_time"] = json!(NOW - 361)).await, old);
    assert_eq!(log_in_with_claims(|c| c["auth_time"] = json!(NOW + 66)).await, old);
    assert_eq!(log_in_with_claims(|c| c["auth_time"] = Value::Null).await, old);
    let acr = "acr_not_accepted";
    assert_eq!(log_in_with_claims(|c| c["acr"] = json!("urn:example:loa:1")).await, acr);
    assert_eq!(log_in_with_claims(|c| c["acr"] = Value::Null).await, acr);
}

#[tokio::test]
async fn an_unusable_subject_is_refused() {
    assert_eq!(log_in_with_claims(|c| c["sub"] = json!("")).await, "bad_id_token");
    assert_eq!(log_in_with_claims(|c| c["sub"] = json!("花子")).await, "bad_id_token");
    assert_eq!(log_in_with_claims(|c| c["sub"] = json!("x".repeat(256))).await, "bad_id_token");
}

#[tokio::test]
async fn a_swapped_access_token_is_refused() {
    let swapped =
        |c: &mut Value| c["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(log_in_with_claims(swapped).await, "wrong_access_token_hash");
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_kept() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    provider.rotate_key();
    log_in_with(&client, &provider).await.unwrap();
    let fetched = provider.shared.key_calls.load(Ordering::SeqCst);
    assert_eq!(fetched, 2);
    log_in_with(&client, &provider).await.unwrap();
    assert_eq!(provider.shared.key_calls.load(Ordering::SeqCst), fetched);
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_publish_is_refused() {
    let provider = FakeProvider::start().await;
    let client = OidcProvider::discover(config(&provider)).await.unwrap();
    provider.faults().hide_new_keys = true;
    provider.rotate_key();
    assert_eq!(log_in_with(&client, &provider).await.unwrap_err().code(), "unknown_key");
}

#[tokio::test]
async fn forged_and_unsigned_tokens_are_refused() {
    for header in [
        json!({"alg": "EdDSA", "kid": "key-0"}),
        json!({"alg": "HS256", "kid": "key-0"}),
        json!({"alg": "none"}),
    ] {
        let provider = FakeProvider::start().await;
        provider.faults().forged_header = Some(header.clone());
        let refused = log_in(&provider).await.unwrap_err();
        assert_eq!(refused.code(), "bad_signature", "{header}");
    }
    let provider = FakeProvider::start().await;
    provider.faults().no_id_token = true;
    assert_eq!(log_in(&provider).await.unwrap_err().code(), "no_id_token");
}

#[tokio::test]
async fn an_oversized_answer_is_cut_off() {
    let provider = FakeProvider::start().await;
    provider.faults().oversized = Some("/token");
    let refused = log_in(&provider).await.unwrap_err();
    assert!(matches!(refused, OidcError::ProviderUnreachable(HttpFault::TooLarge)), "{refused:?}");
    provider.faults().oversized = Some("/keys");
    let refused = OidcProvider::discover(config(&provider)).await.err().unwrap();
    assert!(matches!(refused, OidcError::ProviderUnreachable(HttpFault::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn redirects_of_the_provider_are_not_followed() {
    let provider = FakeProvider::start().await;
    provider.faults().redirecting = Some("/token");
    let refused = log_in(&provider).await.unwrap_err();
    assert!(matches!(refused, OidcError::ProviderUnreachable(HttpFault::Redirected(307))));
    provider.faults().redirecting = Some("/.well-known/openid-configuration");
    let refused = OidcProvider::discover(config(&provider)).await.err().unwrap();
    assert!(matches!(refused, OidcError::ProviderUnreachable(HttpFault::Redirected(307))));
}

#[tokio::test]
async fn endpoints_outside_https_are_never_called() {
    let provider = FakeProvider::start().await;
    for endpoint in ["jwks_uri", "token_endpoint", "authorization_endpoint"] {
        provider.faults().discovery = Some((endpoint, json!("http://provider.example/x")));
        let outcome = match OidcProvider::discover(config(&provider)).await {
            Ok(client) => log_in_with(&client, &provider).await.unwrap_err(),
            Err(refused) => refused,
        };
        let expected = match endpoint {
            "authorization_endpoint" => "provider_answer_refused",
            _ => "provider_unreachable",
        };
        assert_eq!(outcome.code(), expected, "{endpoint}");
    }
    provider.faults().discovery = None;
    let strict = OidcConfig { allow_http_loopback: false, ..config(&provider) };
    let refused = OidcProvider::discover(strict).await.err().unwrap();
    assert!(matches!(refused, OidcError::ProviderUnreachable(HttpFault::NotHttps(_))));
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let provider = FakeProvider::start().await;
    provider.faults().discovery = Some(("issuer", json!("https://evil.example")));
    let refused = OidcProvider::discover(config(&provider)).await.err().unwrap();
    assert_eq!(refused.code(), "provider_answer_refused");
}

#[tokio::test]
async fn the_tls_of_the_provider_is_verified_against_the_given_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ca =
        crate::certificates::SiteCa::create(&folder.path().join("ca"), "IdP", provider::clock())
            .unwrap();
    let provider = FakeProvider::start_tls(&ca).await;
    let https = |extra_ca_pem: Option<String>| OidcConfig {
        allow_http_loopback: false,
        extra_ca_pem,
        ..config(&provider)
    };
    let trusted = https(Some(ca.root_pem().to_owned()));
    let client = OidcProvider::discover(trusted).await.unwrap();
    log_in_with(&client, &provider).await.unwrap();
    let refused = OidcProvider::discover(https(None)).await.err().unwrap();
    assert_eq!(refused.code(), "provider_unreachable");
    let refused = OidcProvider::discover(https(Some("no pem".into()))).await.err().unwrap();
    assert_eq!(refused.code(), "oidc_configuration");
}

#[tokio::test]
async fn a_secret_is_sent_in_the_body_only_to_providers_that_want_it_there() {
    let provider = FakeProvider::start().await;
    let methods = json!(["client_secret_post"]);
    provider.faults().discovery = Some(("token_endpoint_auth_methods_supported", methods));
    log_in(&provider).await.unwrap();
    assert!(provider.shared.secret_in_body.load(Ordering::SeqCst));
    provider.faults().discovery = None;
    log_in(&provider).await.unwrap();
    assert!(!provider.shared.secret_in_body.load(Ordering::SeqCst));
}

/// The gateway's handlers need futures that can move between threads.
#[test]
fn logging_in_is_send() {
    fn send<T: Send>(_: impl Fn(&'static OidcProvider, PendingFirstFactor) -> T) {}
    send(|client, pending| client.complete(pending, "", "", None, 0));
    fn sync<T: Send + Sync>() {}
    sync::<OidcProvider>();
}
