//! A small OpenID Connect provider on loopback: the first factor of the demo and tests.
//!
//! Start at [`Issuer::start`]; `endpoints` speaks http, `tokens` keeps codes and signs.
//! Authorization code flow with PKCE (S256 only), confidential client, RS256 ID tokens
//! with nonce, `auth_time`, `acr` and `at_hash`, the `iss` response parameter (RFC 9207).
//!
//! Invariant: nothing outside this crate is built with it. It holds passwords in memory
//! in the clear, which is fine for people who do not exist and for nobody else.

mod endpoints;
mod tokens;

use std::{collections::BTreeMap, io, net::Ipv4Addr, sync::Arc, thread};

use tokio::{net::TcpListener, sync::oneshot};

use tokens::{SigningKeyError, Tokens};

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// What they type.
    pub name: String,
    /// What they type below it.
    pub password: String,
    /// The `sub` of their ID tokens.
    pub subject: String,
}

/// A client that may ask for tokens.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// Why the provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No loopback port, or no thread.
    #[error("the provider cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// No signing key.
    #[error("the provider has no signing key: {0}")]
    Key(#[from] SigningKeyError),
}

/// A running provider; ends when dropped.
pub struct Issuer {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Issuer {
    /// Starts on a free port of 127.0.0.1, on a thread of its own.
    ///
    /// # Errors
    /// Any [`IssuerError`].
    pub fn start(users: Vec<User>, client: ClientCredentials) -> Result<Self, IssuerError> {
        // Bound here, so that connections wait from now on even if the thread is late.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let users = users.into_iter().map(|user| (user.name.clone(), user)).collect();
        let provider = Provider::new(url.clone(), users, client)?;
        let thread = thread::Builder::new().name("issuer".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let router = endpoints::router(Arc::new(provider));
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let serve = std::future::IntoFuture::into_future(axum::serve(listener, router));
                // Not a graceful end: clients keep idle connections open for minutes.
                tokio::select! {
                    _ = serve => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }

    /// The issuer identifier, also the base of its endpoints.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the endpoints share.
pub(crate) struct Provider {
    url: String,
    users: BTreeMap<String, User>,
    client: ClientCredentials,
    tokens: Tokens,
}

impl Provider {
    fn new(
        url: String,
        users: BTreeMap<String, User>,
        client: ClientCredentials,
    ) -> Result<Self, IssuerError> {
        Ok(Self { tokens: Tokens::new(url.clone())?, url, users, client })
    }
}

#[cfg(test)]
mod tests;
