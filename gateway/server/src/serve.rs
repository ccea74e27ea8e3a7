//! A running gateway: accepts until told to stop, then lets calls end within a deadline.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use sekisho_app::App;
use sekisho_domain::SystemClock;
use sekisho_rpc::Options;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    acceptor::Acceptor,
    config::{Config, Connections},
    connection, tls,
};

/// How long calls may go on after the gateway was told to stop.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// How long the records of cut calls may then take.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// Rest after the system refused a connection, as when it is out of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Serves until `stop` resolves. `ready` is told the address once calls are taken.
///
/// # Errors
/// Fails when the site cannot be opened or the address not be listened on.
pub async fn serve(
    config: Config,
    ready: impl FnOnce(SocketAddr) -> anyhow::Result<()>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let tls = Arc::new(tls::server_config(&config)?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let app = App::open(config.app, Arc::new(SystemClock)).await?;
    // A database that was lost or mistyped must not be taken for a site without history.
    let founded = app.is_founded().await?;
    anyhow::ensure!(
        founded,
        "the database holds no site: restore it, or run `sekisho-gateway init`"
    );
    let options = Options { reflection: config.reflection, ..Options::default() };
    let door = Door {
        acceptor: Acceptor::new(tls, app.clone()),
        router: sekisho_rpc::router(&app, &options)?,
        limits: config.connections,
        guests: Guests::default(),
        stopping: options.stopping.clone(),
        cut: CancellationToken::new(),
        open: TaskTracker::new(),
    };
    ready(listener.local_addr()?)?;
    tokio::select! {
        () = door.accept(&listener) => {}
        () = stop => {}
    }
    tracing::info!("stopping");
    drop(listener);
    door.close().await;
    options.pending.close();
    if timeout(LAST_RECORDS, options.pending.wait()).await.is_err() {
        tracing::error!("some outcomes may not have been recorded");
    }
    Ok(app.stopped().await?)
}

/// Resolves when the process is asked to end: SIGTERM or SIGINT.
///
/// # Errors
/// Fails when signals cannot be listened for.
pub fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Where connections come in.
struct Door {
    acceptor: Acceptor<App>,
    router: axum::Router,
    limits: Connections,
    guests: Guests,
    /// Calls should end.
    stopping: CancellationToken,
    /// Whatever is left ends now.
    cut: CancellationToken,
    open: TaskTracker,
}

impl Door {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => self.admit(stream, address.ip().to_canonical()),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Serves a connection in a task of its own, unless there are too many.
    fn admit(&self, stream: TcpStream, address: IpAddr) {
        let Some(guest) = self.guests.admit(address, self.limits) else {
            // Not in the log: a flood must not turn into a flood of durable writes.
            tracing::warn!(%address, "too many connections; one was closed");
            return;
        };
        let (acceptor, router) = (self.acceptor.clone(), self.router.clone());
        let age = Duration::from_secs(self.limits.age_seconds);
        let (stopping, cut) = (self.stopping.clone(), self.cut.clone());
        let served = async move {
            let _guest = guest;
            let accepted = tokio::select! {
                accepted = acceptor.accept(stream, address) => accepted,
                () = stopping.cancelled() => return,
            };
            if let Some((stream, peer)) = accepted {
                connection::serve(stream, peer, router, age, stopping).await;
            }
        };
        self.open.spawn(cut.run_until_cancelled_owned(served));
    }

    /// Lets calls end; whatever has not after [`LAST_CALLS`] is cut, and recorded so.
    async fn close(self) {
        self.stopping.cancel();
        self.open.close();
        if timeout(LAST_CALLS, self.open.wait()).await.is_err() {
            tracing::warn!(connections = self.open.len(), "calls are cut");
            self.cut.cancel();
            self.open.wait().await;
        }
    }
}

/// Counts connections by address.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Guests {
    fn admit(&self, address: IpAddr, limits: Connections) -> Option<Guest> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = present.values().sum();
        let count = present.get(&address).copied().unwrap_or(0);
        if all >= limits.most || count >= limits.most_per_address {
            return None;
        }
        present.insert(address, count + 1);
        Some(Guest { guests: self.clone(), address })
    }
}

/// One connection; counted while it lives.
struct Guest {
    guests: Guests,
    address: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut present = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
