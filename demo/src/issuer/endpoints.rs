//! Discovery, key set, sign-in page, token endpoint.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use url::{Host, Url, form_urlencoded};

use super::{Provider, tokens::Grant};

/// What this provider calls a password: no more than that.
const ACR: &str = "urn:sekisho:demo:password";
const CODE_BYTES: usize = 43;

type Shared = State<Arc<Provider>>;

pub(super) fn router(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(async |State(provider): Shared| Json(provider.tokens.jwks())))
        .route("/authorize", get(page).post(sign_in))
        .route("/token", post(token))
        .with_state(provider)
}

async fn discovery(State(provider): Shared) -> Json<Value> {
    let url = &provider.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "scopes_supported": ["openid"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [ACR],
        "claims_supported": ["sub", "iss", "auth_time", "acr", "amr"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

#[derive(Debug, Deserialize)]
struct Authorize {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
    nonce: Option<String>,
    acr_values: Option<String>,
}

impl Authorize {
    /// An error here must not redirect: the address itself may be the forgery.
    fn check(&self, provider: &Provider) -> Result<(), &'static str> {
        let redirect = Url::parse(&self.redirect_uri).map_err(|_| "redirect_uri is no URL")?;
        let loopback = matches!(redirect.host(), Some(Host::Ipv4(ip)) if ip.is_loopback());
        let scopes: Vec<&str> = self.scope.split(' ').collect();
        if self.client_id != provider.client.id {
            Err("unknown client")
        } else if redirect.scheme() != "http" || !loopback || redirect.fragment().is_some() {
            Err("redirect_uri is not on this machine")
        } else if self.response_type != "code" || !scopes.contains(&"openid") {
            Err("only response_type=code and scope openid")
        } else if self.code_challenge_method != "S256" || self.code_challenge.len() != CODE_BYTES {
            Err("PKCE with S256 is required")
        } else {
            Ok(())
        }
    }

    /// The first class asked for that this provider can give, else its own.
    fn acr(&self) -> String {
        let asked = self.acr_values.as_deref().unwrap_or_default();
        asked.split(' ').find(|class| *class == ACR).unwrap_or(ACR).to_owned()
    }
}

async fn page(State(provider): Shared, Query(request): Query<Authorize>) -> Response {
    match request.check(&provider) {
        Ok(()) => Html(form("")).into_response(),
        Err(why) => refused(why),
    }
}

#[derive(Deserialize)]
struct Password {
    username: String,
    password: String,
}

async fn sign_in(
    State(provider): Shared,
    Query(request): Query<Authorize>,
    Form(typed): Form<Password>,
) -> Response {
    if let Err(why) = request.check(&provider) {
        return refused(why);
    }
    let user = provider.users.get(&typed.username).filter(|user| {
        let same = user.password.as_bytes().ct_eq(typed.password.as_bytes());
        bool::from(same)
    });
    let Some(user) = user else {
        let page = Html(form("<p>Name or password is wrong.</p>"));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    };
    let code = provider.tokens.code_for(Grant {
        subject: user.subject.clone(),
        client_id: request.client_id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        acr: request.acr(),
        auth_time: Utc::now(),
    });
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &request.state)
        .append_pair("iss", &provider.url)
        .finish();
    let joint = if request.redirect_uri.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{}{joint}{query}", request.redirect_uri)).into_response()
}

async fn token(
    State(provider): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let Some(client_id) = authenticate(&provider, &headers, &form) else {
        return token_error(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    if field("grant_type") != "authorization_code" {
        return token_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let grant = provider.tokens.redeem(
        field("code"),
        &client_id,
        field("redirect_uri"),
        field("code_verifier"),
    );
    let Some(grant) = grant else {
        return token_error(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    match provider.tokens.response(&grant, Utc::now()) {
        Some(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        None => token_error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// The client's id, if it proves to be the registered client: HTTP Basic with both parts
/// form-encoded (RFC 6749, section 2.3.1), or the two form fields.
fn authenticate(
    provider: &Provider,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
) -> Option<String> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (id, secret) = match basic.and_then(|value| value.strip_prefix("Basic ")) {
        Some(encoded) => {
            let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = text.split_once(':')?;
            (form_decoded(id), form_decoded(secret))
        }
        None => (form.get("client_id")?.clone(), form.get("client_secret")?.clone()),
    };
    let known = &provider.client;
    let same: bool = secret.as_bytes().ct_eq(known.secret.as_bytes()).into();
    (id == known.id && same).then_some(id)
}

fn form_decoded(text: &str) -> String {
    // A lone key parses as a pair with an empty value.
    form_urlencoded::parse(text.as_bytes()).map(|(key, _)| key.into_owned()).collect()
}

fn form(message: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><title>Demo sign-in</title><h1>Demo sign-in</h1>\
         {message}<form method=\"post\"><label>Name <input name=\"username\"></label> \
         <label>Password <input name=\"password\" type=\"password\"></label> \
         <button>Sign in</button></form></html>"
    )
}

fn refused(why: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, why).into_response()
}

fn token_error(status: StatusCode, code: &'static str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
