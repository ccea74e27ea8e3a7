use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::failure::Failed;
use crate::limits::Limits;
use crate::scan::Run;

/// What a run has read: shared by readers and queries, so that both number patients alike and
/// rows of both count for the limit.
#[derive(Clone)]
pub(crate) struct Seen {
    limits: Limits,
    read: Arc<Mutex<Read>>,
}

#[derive(Default)]
struct Read {
    patients: Numbers,
    rows: u64,
}

impl Seen {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, read: Arc::default() }
    }

    /// The number of each row's patient; from now on the rows are read.
    pub(crate) fn number(&self, runs: &[Run]) -> Result<Vec<u32>, Failed> {
        let (mut read, mut numbers) = (self.read(), Vec::new());
        for run in runs {
            let number = read.patients.of(run.token);
            numbers.resize(numbers.len() + run.rows, number);
        }
        read.rows += numbers.len() as u64;
        self.limits.check_rows(read.rows).map(|()| numbers)
    }

    /// Patients read so far.
    pub(crate) fn patients(&self) -> u64 {
        self.read().patients.len()
    }

    /// Rows read so far.
    pub(crate) fn rows(&self) -> u64 {
        self.read().rows
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers of patients by token, given in order of first sight, which is the project's own.
/// Tokens stay here; the numbers that cross mean nothing outside the run.
#[derive(Default)]
pub(crate) struct Numbers(HashMap<u64, u32>);

impl Numbers {
    /// Patients seen so far.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The number of a patient.
    pub(crate) fn of(&mut self, token: u64) -> u32 {
        let fresh = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(token).or_insert(fresh)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_the_order_numbers_are_those_of_first_sight(
            tokens in prop::collection::vec(0_u64..40, 0..200)
        ) {
            let (mut numbers, mut seen) = (Numbers::default(), Vec::new());
            for token in tokens {
                let place = seen.iter().position(|known| *known == token).unwrap_or_else(|| {
                    seen.push(token);
                    seen.len() - 1
                });
                prop_assert_eq!(numbers.of(token) as usize, place);
            }
            prop_assert_eq!(numbers.len(), seen.len() as u64);
        }
    }
}
