use std::collections::HashMap;

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
