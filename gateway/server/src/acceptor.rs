//! From a TCP connection to a peer who is known, or to a record of why not (LG-1).

use std::{net::IpAddr, sync::Arc, time::Duration};

use rustls::{CertificateError, Error as TlsError, PeerIncompatible};
use sekisho_audit::{Actor, EventKind};
use sekisho_identity::certificates::PeerIdentity;
use sekisho_rpc::{Gate, Peer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Makes handshakes and records those that fail.
#[derive(Clone)]
pub struct Acceptor<G> {
    tls: TlsAcceptor,
    gate: G,
    patience: Duration,
}

impl<G: Gate> Acceptor<G> {
    /// Speaks `tls`, records through `gate`.
    pub fn new(tls: Arc<rustls::ServerConfig>, gate: G) -> Self {
        Self { tls: TlsAcceptor::from(tls), gate, patience: HANDSHAKE }
    }

    /// With another limit than ten seconds, for tests.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The stream and who is at its other end; nothing when no handshake came about,
    /// which is in the log then.
    pub async fn accept(
        &self,
        stream: TcpStream,
        address: IpAddr,
    ) -> Option<(TlsStream<TcpStream>, Peer)> {
        match self.handshake(stream).await {
            Ok((stream, identity)) => Some((stream, Peer { address, identity })),
            Err(reason) => {
                self.refuse(address, reason).await;
                None
            }
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<PeerIdentity>), &'static str> {
        // Answers are small; waiting to fill a packet only delays them.
        stream.set_nodelay(true).map_err(|_| "closed")?;
        let stream = match timeout(self.patience, self.tls.accept(stream)).await {
            Err(_) => return Err("timeout"),
            Ok(Err(error)) => return Err(reason(&error)),
            Ok(Ok(stream)) => stream,
        };
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = leaf.map(|leaf| PeerIdentity::from_certificate(leaf)).transpose();
        let identity = identity.map_err(|_| "certificate_names_nobody")?;
        Ok((stream, identity))
    }

    async fn refuse(&self, address: IpAddr, reason: &'static str) {
        tracing::info!(%address, reason, "a handshake failed");
        let failed = EventKind::HandshakeFailed { peer: Some(address), reason: reason.to_owned() };
        let actor = Actor::Anonymous { peer: Some(address) };
        if let Err(error) = self.gate.record(failed, actor, None).await {
            // The connection is refused either way.
            tracing::error!(%error, "a failed handshake could not be recorded");
        }
    }
}

/// A stable word for why a handshake failed.
fn reason(error: &std::io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match inner {
        Some(TlsError::InvalidMessage(_)) => "not_tls",
        Some(TlsError::PeerIncompatible(why)) => match why {
            PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled => "tls_version",
            _ => "incompatible",
        },
        Some(TlsError::InvalidCertificate(why)) => match why {
            // Another site's CA may bear the same name; then its signature tells.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "certificate_of_another_ca"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate_expired"
            }
            _ => "certificate_refused",
        },
        Some(TlsError::AlertReceived(_)) => "refused_by_client",
        Some(_) => "protocol",
        None => "closed",
    }
}

#[cfg(test)]
mod tests;
