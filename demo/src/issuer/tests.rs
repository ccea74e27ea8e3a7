use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, RedirectUrl, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata},
};
use tokio::net::TcpListener;

use super::*;
use crate::browser::{BrowserError, sign_in};

const REDIRECT: &str = "http://127.0.0.1:9/callback";

fn issuer() -> Issuer {
    let user = User {
        name: "sato".to_owned(),
        password: "right".to_owned(),
        subject: "subject-1".to_owned(),
    };
    let client = ClientCredentials { id: "gateway".to_owned(), secret: "s:e c+ret".to_owned() };
    Issuer::start(vec![user], client).unwrap()
}

/// A plain HTTP client in the form openidconnect wants, for loopback only.
async fn exchange(
    request: openidconnect::HttpRequest,
) -> Result<openidconnect::HttpResponse, std::io::Error> {
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Bytes;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let answer = client.request(request).await.map_err(std::io::Error::other)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes().to_vec();
    Ok(openidconnect::HttpResponse::from_parts(parts, body))
}

/// Signs in like a person and returns the redirect's query.
async fn redirect_query(authorize: &str, port_listener: TcpListener) -> Vec<(String, String)> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let waiting = tokio::spawn(async move {
        let (mut stream, _) = port_listener.accept().await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone";
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    });
    sign_in(authorize, "sato", "right").await.unwrap();
    let request = waiting.await.unwrap();
    let target = request.split(' ').nth(1).unwrap();
    let url = url::Url::parse(&format!("http://127.0.0.1{target}")).unwrap();
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn a_standard_client_gets_a_token_that_verifies() {
    let issuer = issuer();
    let url = IssuerUrl::new(issuer.url().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(url, &exchange).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirect = format!("http://{}/callback", listener.local_addr().unwrap());
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new("gateway".to_owned()),
        Some(ClientSecret::new("s:e c+ret".to_owned())),
    )
    .set_redirect_uri(RedirectUrl::new(redirect).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (authorize, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .set_pkce_challenge(challenge)
        .url();
    let query = redirect_query(authorize.as_str(), listener).await;
    let field = |name: &str| query.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!(field("state"), *state.secret());
    assert_eq!(field("iss"), issuer.url());
    let tokens = client
        .exchange_code(AuthorizationCode::new(field("code")))
        .unwrap()
        .set_pkce_verifier(verifier)
        .request_async(&exchange)
        .await
        .unwrap();
    let id_token = tokens.id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), "subject-1");
    assert!(claims.auth_time().is_some() && claims.auth_context_ref().is_some());
    let hash = openidconnect::AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&client.id_token_verifier()).unwrap(),
    );
    assert_eq!(claims.access_token_hash(), Some(&hash.unwrap()));
}

#[tokio::test]
async fn au_1_a_wrong_password_gets_no_code() {
    let issuer = issuer();
    let challenge = "x".repeat(43);
    let authorize = format!(
        "{}/authorize?response_type=code&client_id=gateway&redirect_uri={REDIRECT}&scope=openid\
         &state=s&code_challenge={challenge}&code_challenge_method=S256",
        issuer.url()
    );
    let refused = sign_in(&authorize, "sato", "wrong").await.unwrap_err();
    assert!(matches!(refused, BrowserError::NotRedirected { status: 401, .. }), "{refused:?}");
    for (from, to) in [
        ("S256", "plain"),
        ("client_id=gateway", "client_id=other"),
        ("127.0.0.1:9", "example.org"),
        ("scope=openid", "scope=email"),
    ] {
        let bad = format!(
            "{}{}",
            issuer.url(),
            authorize.strip_prefix(issuer.url()).unwrap().replace(from, to)
        );
        let refused = sign_in(&bad, "sato", "right").await.unwrap_err();
        assert!(matches!(refused, BrowserError::NotRedirected { status: 400, .. }), "{to}");
    }
}

#[test]
fn a_code_works_once_for_its_client_redirect_and_verifier() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest as _, Sha256};
    let tokens = Tokens::new("http://127.0.0.1:1".to_owned()).unwrap();
    let grant = tokens::Grant {
        subject: "s".to_owned(),
        client_id: "c".to_owned(),
        redirect_uri: REDIRECT.to_owned(),
        code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(b"verifier")),
        nonce: None,
        acr: "a".to_owned(),
        auth_time: chrono::Utc::now(),
    };
    let code = || tokens.code_for(grant.clone());
    assert!(tokens.redeem(&code(), "other", REDIRECT, "verifier").is_none());
    assert!(tokens.redeem(&code(), "c", "http://127.0.0.1:8/", "verifier").is_none());
    assert!(tokens.redeem(&code(), "c", REDIRECT, "guess").is_none());
    let good = code();
    assert!(tokens.redeem(&good, "c", REDIRECT, "verifier").is_some());
    assert!(tokens.redeem(&good, "c", REDIRECT, "verifier").is_none(), "spent");
}
