//! The watch (異常検知, LG-3, SV-4): rules over the events of the log, evaluated as each
//! entry is committed.
//!
//! Start with [`Watch::observe`]; [`config`] says what the rules are, [`window`] how they
//! count.
//!
//! Invariants: the same events give the same alerts, so that a restarted gateway catches
//! up from its log ([`Watch::catch_up`]); memory is bounded whatever anybody sends; strangers cannot push a person's history out. Free of I/O, of
//! threads and of clocks: time is that of the events. Must never depend on the store.

mod alert;
pub mod config;
mod watch;
mod window;

pub use alert::{AlertDraft, Rule, Subject};
pub use config::{ConfigError, ConfigProblem, RuleConfig, WatchConfig};
pub use watch::Watch;
