//! The gateway as a process: configuration, TLS, connections, telemetry.
//!
//! Start with [`serve`], then [`acceptor`], through which everybody comes. [`init`] lays
//! out a new site.
//!
//! Invariants: nothing but TLS 1.3 is spoken; a handshake that fails is in the log; a
//! client certificate is either of this site's CA or the connection does not come about;
//! no secret stands in the configuration, only paths to secrets. Must never depend on
//! `store`, Cedar or SQL, nor decide who may do what.

pub mod acceptor;
pub mod config;
pub mod connection;
pub mod init;
pub mod serve;
pub mod telemetry;
pub mod tls;
