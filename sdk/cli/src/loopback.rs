//! The browser's part of a login: open the authorization page, wait for the
//! redirect to this machine (RFC 8252, section 7.3).
//!
//! Invariant: only a request to `/callback` whose `state` is the one in the
//! authorization URL is taken; everything else is answered and forgotten.

use std::{
    collections::HashMap,
    convert::Infallible,
    env,
    process::{Command, Stdio},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::mpsc, time};
use url::Url;

use crate::error::CliError;

const PATIENCE: Duration = Duration::from_secs(300);

/// The provider's answer as it came over the redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Authorization code.
    pub code: String,
    /// The state sent with the request.
    pub state: String,
    /// Issuer (RFC 9207); empty when the provider sent none.
    pub iss: String,
}

/// A listener for one redirect.
#[derive(Debug)]
pub(crate) struct Loopback {
    listener: TcpListener,
    redirect_uri: String,
}

impl Loopback {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Fails when no port can be opened.
    pub(crate) async fn open() -> Result<Self, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, redirect_uri: format!("http://127.0.0.1:{port}/callback") })
    }

    /// Where the provider must send the browser.
    #[must_use]
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits, at most five minutes, for the redirect that carries `state`.
    ///
    /// # Errors
    /// Fails when time is up or the provider reports an error.
    pub(crate) async fn wait(self, state: &str) -> Result<Answer, CliError> {
        let (sender, mut receiver) = mpsc::channel(1);
        let accept = async {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else {
                    continue;
                };
                let sender = sender.clone();
                let state = state.to_owned();
                let serve = service_fn(move |request| {
                    let (sender, state) = (sender.clone(), state.clone());
                    async move { Ok::<_, Infallible>(answer(&request, &state, &sender)) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
            }
        };
        let received = async {
            tokio::select! {
                received = receiver.recv() => received,
                () = accept => None,
            }
        };
        let result = time::timeout(PATIENCE, received)
            .await
            .map_err(|_| CliError::FirstFactor("nobody signed in within five minutes".to_owned()))?
            .ok_or_else(|| CliError::FirstFactor("the listener stopped".to_owned()))?;
        // The page is on its way to the browser: let it arrive before the process goes on.
        time::sleep(Duration::from_millis(30)).await;
        result.map_err(CliError::FirstFactor)
    }
}

/// Opens `url` with the program in `BROWSER` (first entry; arguments and `%s` as usual),
/// else with `xdg-open`. A browser that cannot be started is no error: the URL was printed.
pub(crate) fn open_browser(url: &str) {
    let named = env::var("BROWSER").unwrap_or_default();
    let mut words = browser_command(&named, url).into_iter();
    if let Some(program) = words.next() {
        let started = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        drop(started);
    }
}

fn browser_command(named: &str, url: &str) -> Vec<String> {
    let first = named.split(':').find(|entry| !entry.is_empty()).unwrap_or("xdg-open");
    // A path with spaces is a program, not a program and its arguments.
    let words: Vec<&str> = if std::path::Path::new(first).is_file() {
        vec![first]
    } else {
        first.split_whitespace().collect()
    };
    let mut words: Vec<String> = words.iter().map(|word| word.replace("%s", url)).collect();
    if !words.iter().skip(1).any(|word| word.contains(url)) {
        words.push(url.to_owned());
    }
    words
}

/// The `state` parameter of an authorization URL.
///
/// # Errors
/// Fails when the URL is malformed or has none.
pub(crate) fn state_of(authorization_url: &str) -> Result<String, CliError> {
    Url::parse(authorization_url)
        .ok()
        .and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned())
        })
        .ok_or(CliError::Contract("an authorization URL with a state"))
}

fn failed(error: std::io::Error) -> CliError {
    CliError::FirstFactor(format!("cannot listen on 127.0.0.1: {error}"))
}

fn answer(
    request: &Request<Incoming>,
    state: &str,
    sender: &mpsc::Sender<Result<Answer, String>>,
) -> Response<Full<Bytes>> {
    match read(request.uri().path(), request.uri().query().unwrap_or(""), state) {
        None => page(StatusCode::NOT_FOUND, "Nothing here."),
        Some(result) => {
            let text = match &result {
                Ok(_) => "Signed in. You may close this page and return to the terminal.",
                Err(_) => "The sign-in was refused. The terminal says more.",
            };
            // A second answer finds the channel full and changes nothing.
            let _ = sender.try_send(result);
            page(StatusCode::OK, text)
        }
    }
}

fn read(path: &str, query: &str, state: &str) -> Option<Result<Answer, String>> {
    if path != "/callback" {
        return None;
    }
    let mut pairs: HashMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if pairs.remove("state").as_deref() != Some(state) {
        return None;
    }
    if let Some(error) = pairs.remove("error") {
        let more = pairs.remove("error_description").unwrap_or_default();
        return Some(Err(format!("the provider says {error} {more}")));
    }
    Some(Ok(Answer {
        code: pairs.remove("code")?,
        iss: pairs.remove("iss").unwrap_or_default(),
        state: state.to_owned(),
    }))
}

fn page(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let html =
        format!("<!doctype html><html lang=\"en\"><title>Sekisho</title><p>{text}</p></html>");
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_state_is_taken() {
        assert!(read("/callback", "code=c&state=other", "s").is_none());
        assert!(read("/favicon.ico", "code=c&state=s", "s").is_none());
        let taken = read("/callback", "code=c&state=s&iss=https%3A%2F%2Fi", "s");
        let answer = taken.expect("taken").expect("no error");
        assert_eq!(answer.code, "c");
        assert_eq!(answer.iss, "https://i");
    }

    #[test]
    fn a_provider_error_is_passed_on() {
        let taken = read("/callback", "error=access_denied&state=s", "s");
        assert!(taken.expect("taken").is_err());
    }

    #[test]
    fn the_browser_is_started_as_its_variable_says() {
        assert_eq!(browser_command("", "u"), ["xdg-open", "u"]);
        assert_eq!(browser_command("a --new %s:b", "u"), ["a", "--new", "u"]);
        let dir = tempfile::tempdir().unwrap();
        let spaced = dir.path().join("my browser");
        std::fs::write(&spaced, "").unwrap();
        let spaced = spaced.to_str().unwrap();
        assert_eq!(browser_command(spaced, "u"), [spaced, "u"]);
    }

    #[test]
    fn the_state_is_read_from_the_authorization_url() {
        let url = "https://op/authorize?client_id=x&state=abc%20d";
        assert_eq!(state_of(url).expect("state"), "abc d");
        assert!(state_of("https://op/authorize").is_err());
    }

    #[tokio::test]
    async fn a_redirect_reaches_the_waiting_command() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let loopback = Loopback::open().await.expect("port");
        let url = Url::parse(loopback.redirect_uri()).expect("url");
        let port = url.port().expect("port");
        let browser = tokio::spawn(async move {
            let mut pages = Vec::new();
            for state in ["wrong", "s"] {
                let mut stream =
                    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
                let request = format!(
                    "GET /callback?code=c&state={state} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).await.expect("sent");
                let mut text = String::new();
                let _ = stream.read_to_string(&mut text).await;
                pages.push(text);
            }
            pages
        });
        let answer = loopback.wait("s").await.expect("answer");
        assert_eq!(answer.code, "c");
        let pages = browser.await.expect("joined");
        assert!(pages[0].starts_with("HTTP/1.1 404"));
        assert!(pages[1].starts_with("HTTP/1.1 200"));
    }
}
