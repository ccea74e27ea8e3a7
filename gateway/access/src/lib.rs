//! Who may do what. Every effect in the gateway consumes a [`Permit`], and a permit
//! exists only after Cedar allowed the action and the log holds that decision
//! (design invariants 5 to 7).
//!
//! Start with [`authorizer::Authorizer::authorize`], then [`permit`]. The policies
//! themselves are in `policies/cedar`, the linkage matrix in `policies/linkage.toml`
//! ([`linkage`]).
//!
//! Invariants: no way to make a permit outside this crate; an erring policy denies;
//! a refusal is recorded before it is returned. Must never depend on `store`, `app`
//! or a transport; only this crate knows Cedar.

pub mod action;
pub mod authorizer;
pub mod caller;
pub mod linkage;
pub mod permit;
mod policy;
pub mod resource;
pub mod step_up;

pub use action::Action;
pub use authorizer::{Authorizer, DecisionLog, LogUnavailable, Refusal};
pub use caller::{ActiveSession, Caller, SessionEnded, SessionRecord, Who};
pub use permit::{Guarded, Permit, Visible};
pub use policy::{PolicyEngine, PolicyError};
pub use step_up::{FreshAssertion, Redeemed, StepUpError, StepUps};
