//! Fresh assertions: one ceremony, one decision, 120 seconds (design invariant 7).

use std::{collections::HashMap, sync::Mutex};

use sekisho_domain::{BiometricLevel, SessionId, StepUpId, Timestamp};

/// Seconds a begun ceremony stays open.
pub const LIFETIME_SECONDS: i64 = 120;
/// Most ceremonies open at once; the oldest gives way.
const MOST_OPEN: usize = 4096;

/// A verified assertion, bound to one decision. Comes only from a ceremony that was
/// begun for that decision and redeemed once.
#[derive(Debug)]
pub struct FreshAssertion {
    decision_sha256: String,
    level: BiometricLevel,
}

impl FreshAssertion {
    /// SHA-256 of the decision, hexadecimal.
    #[must_use]
    pub fn decision_sha256(&self) -> &str {
        &self.decision_sha256
    }

    /// Level of the authenticator that asserted, as the site's list has it now.
    #[must_use]
    pub fn level(&self) -> BiometricLevel {
        self.level
    }
}

/// A ceremony taken out of the ledger; what is left is to judge the answer to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Redeemed {
    decision_sha256: String,
}

impl Redeemed {
    /// The answer was judged good, by an authenticator of this level.
    #[must_use]
    pub fn verified(self, level: BiometricLevel) -> FreshAssertion {
        FreshAssertion { decision_sha256: self.decision_sha256, level }
    }
}

/// Why a fresh assertion does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepUpError {
    /// Unknown, already used or too old.
    #[error("no such assertion is open; begin again")]
    Unknown,
    /// It was begun for another decision.
    #[error("the assertion was made for another decision")]
    OtherDecision,
}

struct Open<S> {
    session_id: SessionId,
    decision_sha256: String,
    expires_at: Timestamp,
    state: S,
}

/// Ceremonies in progress, in memory: a restart only makes people begin again.
pub struct StepUps<S> {
    open: Mutex<HashMap<StepUpId, Open<S>>>,
}

impl<S> Default for StepUps<S> {
    fn default() -> Self {
        Self { open: Mutex::new(HashMap::new()) }
    }
}

impl<S> StepUps<S> {
    /// Opens a ceremony for exactly this decision of this session.
    pub fn begin(
        &self,
        session_id: SessionId,
        decision_sha256: String,
        state: S,
        now: Timestamp,
    ) -> StepUpId {
        let id = StepUpId::new(now);
        let mut open = self.lock();
        open.retain(|_, entry| entry.expires_at > now);
        if open.len() >= MOST_OPEN
            && let Some(oldest) = open.keys().min().copied()
        {
            open.remove(&oldest);
        }
        let expires_at = now.plus_seconds(LIFETIME_SECONDS);
        open.insert(id, Open { session_id, decision_sha256, expires_at, state });
        id
    }

    /// Takes a ceremony out, whatever comes of it: a second try finds nothing.
    ///
    /// # Errors
    /// [`StepUpError`] when it is not this session's, too old or for another decision.
    pub fn redeem(
        &self,
        id: StepUpId,
        session_id: SessionId,
        decision_sha256: &str,
        now: Timestamp,
    ) -> Result<(Redeemed, S), StepUpError> {
        let mut open = self.lock();
        if open.get(&id).is_none_or(|entry| entry.session_id != session_id) {
            return Err(StepUpError::Unknown);
        }
        let entry = open.remove(&id).ok_or(StepUpError::Unknown)?;
        if entry.expires_at <= now {
            Err(StepUpError::Unknown)
        } else if entry.decision_sha256 != decision_sha256 {
            Err(StepUpError::OtherDecision)
        } else {
            Ok((Redeemed { decision_sha256: entry.decision_sha256 }, entry.state))
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StepUpId, Open<S>>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ceremony_serves_one_decision_of_one_session_for_two_minutes() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let (mine, other) = (SessionId::new(now), SessionId::new(now));
        let ledger = StepUps::default();
        let begin = || ledger.begin(mine, "aa".to_owned(), (), now);

        let id = begin();
        assert_eq!(ledger.redeem(id, other, "aa", now).unwrap_err(), StepUpError::Unknown);
        let (redeemed, ()) = ledger.redeem(id, mine, "aa", now).unwrap();
        assert_eq!(redeemed.verified(BiometricLevel::B1).decision_sha256(), "aa");
        assert_eq!(ledger.redeem(id, mine, "aa", now).unwrap_err(), StepUpError::Unknown);

        let id = begin();
        assert_eq!(ledger.redeem(id, mine, "bb", now).unwrap_err(), StepUpError::OtherDecision);
        assert_eq!(ledger.redeem(id, mine, "aa", now).unwrap_err(), StepUpError::Unknown);

        let id = begin();
        let late = now.plus_seconds(LIFETIME_SECONDS);
        assert_eq!(ledger.redeem(id, mine, "aa", late).unwrap_err(), StepUpError::Unknown);
    }
}
