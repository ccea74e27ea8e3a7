//! What a person does in a browser during a login, done by a program: loopback http only.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::{Url, form_urlencoded};

/// Why the sign-in did not go through.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// Not a URL, or not http on this machine.
    #[error("{0} is not an http address on this machine")]
    Address(String),
    /// The exchange failed.
    #[error("the exchange failed: {0}")]
    Exchange(String),
    /// The provider did not redirect: the password is wrong, or the request is.
    #[error("the provider answered {status}: {page}")]
    NotRedirected {
        /// HTTP status.
        status: u16,
        /// The page.
        page: String,
    },
}

/// Opens the authorization page, posts the form, follows the redirect to the waiting
/// command, and returns the last page.
///
/// # Errors
/// Any [`BrowserError`].
pub async fn sign_in(url: &str, user: &str, password: &str) -> Result<String, BrowserError> {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let page = send(&client, request(Method::GET, url, None)?).await?;
    if page.status() != StatusCode::OK {
        return Err(not_redirected(page).await);
    }
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("username", user)
        .append_pair("password", password)
        .finish();
    // The form has no action of its own: it goes to the address the page came from.
    let answer = send(&client, request(Method::POST, url, Some(form))?).await?;
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(location) = location.map(str::to_owned) else {
        return Err(not_redirected(answer).await);
    };
    let last = send(&client, request(Method::GET, &location, None)?).await?;
    Ok(text(last).await)
}

fn request(
    method: Method,
    url: &str,
    form: Option<String>,
) -> Result<Request<Full<Bytes>>, BrowserError> {
    let refuse = || BrowserError::Address(url.to_owned());
    let parsed = Url::parse(url).map_err(|_| refuse())?;
    let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost"));
    if parsed.scheme() != "http" || !local {
        return Err(refuse());
    }
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    let mut builder = Request::builder().method(method).uri(uri);
    if form.is_some() {
        builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let body = Full::new(Bytes::from(form.unwrap_or_default()));
    builder.body(body).map_err(|error| BrowserError::Exchange(error.to_string()))
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, BrowserError> {
    client.request(request).await.map_err(|error| BrowserError::Exchange(error.to_string()))
}

async fn not_redirected(answer: Response<Incoming>) -> BrowserError {
    BrowserError::NotRedirected { status: answer.status().as_u16(), page: text(answer).await }
}

async fn text(answer: Response<Incoming>) -> String {
    match answer.into_body().collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => format!("({error})"),
    }
}
