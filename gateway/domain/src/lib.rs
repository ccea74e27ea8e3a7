//! What the gateway talks about: identifiers, people, agreements, modules, runs,
//! review requests, and the one transition table of each state machine.
//!
//! Start with [`run`], the busiest of the three machines, then [`agreement`].
//!
//! Invariants: no I/O, no clock but the one passed in, and a state changes only
//! through its machine's table ([`lifecycle`]). Must never depend on another crate
//! of ours.

pub mod agreement;
pub mod alert;
pub mod bring_in;
pub mod dataset;
pub mod id;
pub mod lifecycle;
pub mod module;
pub mod page;
pub mod people;
pub mod reidentification;
pub mod review;
pub mod run;
pub mod time;

pub use agreement::{
    Agreement, Closure, Erasure, GrantedTable, JoinedDataset, Project, ProvisionMethod, RunQuota,
};
pub use alert::Alert;
pub use bring_in::{BringIn, BringInState, PinnedBringIn};
pub use dataset::Dataset;
pub use id::*;
pub use lifecycle::{Lifecycle, Transition, TransitionError};
pub use module::{Module, ModuleState, World};
pub use page::{Page, PageRequest};
pub use people::{BiometricLevel, Organisation, OrganisationKind, Person, Role};
pub use reidentification::{Reidentification, ReidentificationState};
pub use review::{Release, ReviewRequest, ReviewState, Verdict, Vote};
pub use run::{EndCause, FailureClass, Run, RunState};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
