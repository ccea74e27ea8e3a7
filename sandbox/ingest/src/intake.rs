//! Who may come in: notices, opt-outs and deletion requests, joined in the identified zone
//! before anything else is read of a person (OP-1, OP-2).

mod id_spaces;
mod lists;
mod register;
mod report;

use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) use id_spaces::{IdSpaces, id_parts};
pub use lists::{IntakeLists, PersonList};
pub(crate) use register::Register;
pub use register::{DeletionRequest, Deletions};
pub(crate) use report::reports_in;
pub use report::{DeletionNote, IntakeReport, ListNote, TableTotals, verify_report};

/// Why a person stays out, or that they come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    In,
    OptedOut,
    NotNotified,
    Deleted,
}

/// Decides on persons by their tokens; ids are never kept.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Persons with a notice that is old enough; `None` when no list is joined.
    pub(crate) notified: Option<HashSet<u64>>,
    pub(crate) opted_out: HashSet<u64>,
    /// References of the requests by the person's token.
    pub(crate) deletions: HashMap<u64, Vec<String>>,
    /// Persons who stayed out, of those seen.
    excluded: HashSet<u64>,
    /// Rows a deletion request kept out, by its reference.
    effects: BTreeMap<String, u64>,
}

impl Gate {
    /// What the lists say of a person.
    pub(crate) fn judge(&self, token: u64) -> Verdict {
        if self.deletions.contains_key(&token) {
            return Verdict::Deleted;
        }
        if self.opted_out.contains(&token) {
            return Verdict::OptedOut;
        }
        match &self.notified {
            Some(notified) if !notified.contains(&token) => Verdict::NotNotified,
            _ => Verdict::In,
        }
    }

    /// Keeps whoever asked for deletion out, of the ids of one space.
    pub(crate) fn join_deletions(&mut self, deletions: &Deletions, id_space: &str) {
        for request in deletions.of(id_space) {
            self.deletions.entry(request.token).or_default().push(request.reference.clone());
        }
    }

    /// The same for a row about to be processed, and remembered.
    pub(crate) fn admit(&mut self, token: u64) -> Verdict {
        let verdict = self.judge(token);
        if verdict == Verdict::In {
            return verdict;
        }
        self.excluded.insert(token);
        for reference in self.deletions.get(&token).into_iter().flatten() {
            *self.effects.entry(reference.clone()).or_default() += 1;
        }
        verdict
    }

    /// Whether this person of the source stayed out.
    pub(crate) fn has_excluded(&self, token: u64) -> bool {
        self.excluded.contains(&token)
    }

    /// Goes on from what was remembered before.
    pub(crate) fn restore(
        &mut self,
        excluded: impl Iterator<Item = u64>,
        effects: BTreeMap<String, u64>,
    ) {
        self.excluded.extend(excluded);
        self.effects = effects;
    }

    /// Persons of the source who stayed out.
    pub(crate) fn excluded(&self) -> u64 {
        self.excluded.len() as u64
    }

    /// Those of these sealed persons who should have stayed out: none, or something is wrong.
    pub(crate) fn survivors(&self, sealed: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
        sealed.filter(|token| self.judge(*token) != Verdict::In)
    }

    /// Rows kept out by each deletion request.
    pub(crate) fn effects(&self) -> &BTreeMap<String, u64> {
        &self.effects
    }
}
