//! A whole site on one machine, for the demo and for the integration tests.
//!
//! Start at [`site`]: it makes folders and keys, starts and kills the real programs, and
//! runs the real command line as named people. [`issuer`] is their identity provider,
//! [`browser`] and [`authenticator`] stand in for what they hold in their hands.
//!
//! Invariants: everything under test is the real program, started as a process; only
//! what is outside of the site (provider, browser, authenticator) is played here. Nothing
//! listens on anything but 127.0.0.1. No crate of the product may depend on this one.

pub mod authenticator;
pub mod browser;
pub mod issuer;
pub mod site;
