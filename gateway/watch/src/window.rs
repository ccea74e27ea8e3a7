//! Sliding windows by key, in bounded memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use sekisho_domain::{RequestId, Timestamp};

/// Most keys of one table. At a few hundred bytes each.
const MAX_KEYS: usize = 10_000;
/// Most entries of one window; the oldest two are merged when there are more, which only
/// ever counts an old one a little longer.
const MAX_ENTRIES: usize = 1_024;

/// What happened once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    /// When.
    pub(crate) at: Timestamp,
    /// How much it counts.
    pub(crate) amount: u64,
    /// Call it belongs to: one call counts once per window.
    pub(crate) request_id: Option<RequestId>,
}

/// The windows of one rule.
#[derive(Debug)]
pub(crate) struct Windows<K> {
    length_millis: i64,
    by_key: HashMap<K, Window>,
}

#[derive(Debug, Default)]
struct Window {
    observations: VecDeque<Observation>,
    alerted_at: Option<Timestamp>,
    touched_at: Option<Timestamp>,
}

impl<K: Copy + Eq + Hash + Ord> Windows<K> {
    pub(crate) fn new(seconds: u64) -> Self {
        let length_millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        Self { length_millis, by_key: HashMap::new() }
    }

    /// Counts; returns the sum in the window when it reaches `threshold` and the key has
    /// raised no alert within the window.
    pub(crate) fn count(&mut self, key: K, seen: Observation, threshold: u64) -> Option<u64> {
        let length = self.length_millis;
        let window = self.window(key, seen.at);
        window.observations.retain(|old| near(old.at, seen.at, length));
        let again = seen.request_id.is_some_and(|request| {
            window.observations.iter().any(|old| old.request_id == Some(request))
        });
        if again {
            return None;
        }
        window.push(seen);
        let sum = window.observations.iter().fold(0_u64, |sum, o| sum.saturating_add(o.amount));
        let quiet = window.alerted_at.is_some_and(|alerted| near(alerted, seen.at, length));
        if sum < threshold || quiet {
            return None;
        }
        window.alerted_at = Some(seen.at);
        Some(sum)
    }

    /// Remembers an alert that the log already holds.
    pub(crate) fn mark_alerted(&mut self, key: K, at: Timestamp) {
        self.window(key, at).alerted_at = Some(at);
    }

    fn window(&mut self, key: K, now: Timestamp) -> &mut Window {
        if self.by_key.len() >= MAX_KEYS && !self.by_key.contains_key(&key) {
            self.make_room(now);
        }
        let window = self.by_key.entry(key).or_default();
        window.touched_at = window.touched_at.max(Some(now));
        window
    }

    /// Forgets keys that are out of their window; if that is not enough, the quarter that
    /// has been silent longest. A key breaks ties so that replaying gives the same.
    fn make_room(&mut self, now: Timestamp) {
        let length = self.length_millis;
        self.by_key.retain(|_, window| window.touched_at.is_some_and(|at| near(at, now, length)));
        if self.by_key.len() < MAX_KEYS {
            return;
        }
        let mut silent: Vec<_> =
            self.by_key.iter().map(|(key, window)| (window.touched_at, *key)).collect();
        silent.sort_unstable();
        for (_, key) in silent.into_iter().take(MAX_KEYS / 4) {
            self.by_key.remove(&key);
        }
    }
}

impl Window {
    fn push(&mut self, seen: Observation) {
        self.observations.push_back(seen);
        if self.observations.len() <= MAX_ENTRIES {
            return;
        }
        if let Some(oldest) = self.observations.pop_front()
            && let Some(next) = self.observations.front_mut()
        {
            next.amount = next.amount.saturating_add(oldest.amount);
            next.at = next.at.max(oldest.at);
        }
    }
}

/// Within the window of one another. Both ways, so that a clock that was set back neither
/// silences a key for long nor keeps counting what it saw in the future.
fn near(a: Timestamp, b: Timestamp, length_millis: i64) -> bool {
    a.millis().abs_diff(b.millis()) < length_millis.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn seen(millis: i64, amount: u64) -> Observation {
        Observation { at: at(millis), amount, request_id: None }
    }

    #[test]
    fn keys_and_entries_stay_bounded() {
        let mut windows = Windows::new(3_600);
        for key in 0..3 * MAX_KEYS {
            windows.count(key, seen(i64::try_from(key).unwrap(), 1), 100);
            assert!(windows.by_key.len() <= MAX_KEYS);
        }
        let newest = 3 * MAX_KEYS - 1;
        assert!(windows.by_key.contains_key(&newest) && !windows.by_key.contains_key(&0));
        for n in 0..5_000 {
            windows.count(newest, seen(40_000 + n, 1), u64::MAX);
        }
        assert_eq!(windows.by_key[&newest].observations.len(), MAX_ENTRIES);
        let sum = windows.count(newest, seen(50_000, 1), 1);
        assert_eq!(sum, Some(5_002), "merging loses nothing");
    }

    #[test]
    fn silent_keys_go_first_and_expired_ones_before_any() {
        let mut windows = Windows::new(1);
        for key in 0..MAX_KEYS {
            windows.count(key, seen(0, 1), 100);
        }
        windows.count(MAX_KEYS, seen(5_000, 1), 100);
        assert_eq!(windows.by_key.len(), 1);
    }

    #[test]
    fn a_clock_set_back_neither_silences_nor_inflates() {
        let mut windows = Windows::new(10);
        assert_eq!(windows.count(1, seen(1_000_000, 5), 5), Some(5));
        assert_eq!(windows.count(1, seen(0, 4), 5), None, "the future does not count");
        assert_eq!(windows.count(1, seen(1, 1), 5), Some(5), "nor is it an alert just raised");
    }

    proptest! {
        /// Against counting from scratch, for few enough entries that none are merged.
        #[test]
        fn sums_are_those_of_the_window(
            steps in prop::collection::vec((0_i64..400, 1_u64..5), 1..200), threshold in 1_u64..60
        ) {
            let mut windows = Windows::new(1);
            let mut past: Vec<(i64, u64)> = Vec::new();
            let (mut now, mut alerted) = (0, None);
            for (gap, amount) in steps {
                now += gap;
                past.push((now, amount));
                let sum: u64 =
                    past.iter().filter(|(at, _)| now - at < 1_000).map(|(_, amount)| amount).sum();
                let quiet = alerted.is_some_and(|at| now - at < 1_000);
                let expected = (sum >= threshold && !quiet).then_some(sum);
                alerted = if expected.is_some() { Some(now) } else { alerted };
                prop_assert_eq!(windows.count((), seen(now, amount), threshold), expected);
            }
        }
    }
}
