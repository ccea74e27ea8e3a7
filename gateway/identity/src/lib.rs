//! The three mechanisms by which the gateway knows who is calling (AU-1).
//!
//! 1. [`oidc`]: the first factor, an authorization-code login at the site's OpenID provider.
//! 2. [`webauthn`]: the second factor, an attested authenticator with user verification.
//! 3. [`certificates`]: what both factors buy, a client certificate that names a session.
//!
//! Start reading at [`oidc::OidcProvider`], [`webauthn::SecondFactor`], [`certificates::SiteCa`].
//!
//! Invariants
//! - Nothing here decides who may do what: a mechanism yields facts, `access` judges them.
//! - Pending states are values that are consumed once; no secret of theirs shows in `Debug`.
//! - Time is an argument (seconds since 1970-01-01 UTC). The one exception is inside webauthn-rs,
//!   which checks attestation certificates against the system clock.
//! - Every refusal has a stable code (`code()`), never just prose.
//!
//! Must never depend on another crate of this workspace, on the store, or on gRPC types.

pub mod certificates;
pub mod oidc;
pub mod webauthn;
