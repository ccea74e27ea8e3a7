//! Who is at the other end of a connection, as the acceptor found out.

use std::net::IpAddr;

use sekisho_identity::certificates::PeerIdentity;

/// Put into the extensions of every request by the acceptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection comes from.
    pub address: IpAddr,
    /// Whom the client certificate names; the chain to the site CA is verified already.
    pub identity: Option<PeerIdentity>,
}
