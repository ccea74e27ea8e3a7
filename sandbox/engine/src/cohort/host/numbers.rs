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

    /// The number of each row's patient.
    pub(crate) fn of(&mut self, tokens: &[u64]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(tokens.len());
        // Rows of one patient stand together: one look-up for all of them.
        for same in tokens.chunk_by(|a, b| a == b) {
            let Some(token) = same.first() else { continue };
            let fresh = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            let number = *self.0.entry(*token).or_insert(fresh);
            numbers.resize(numbers.len() + same.len(), number);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_follow_first_sight_and_stay() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of(&[90, 90, 70]), [0, 0, 1]);
        assert_eq!(numbers.of(&[70, 80, 90]), [1, 2, 0]);
        assert_eq!(numbers.len(), 3);
    }

    proptest! {
        #[test]
        fn whatever_the_order_numbers_are_those_of_first_sight(
            tables in prop::collection::vec(prop::collection::vec(0_u64..40, 0..60), 0..5)
        ) {
            let (mut numbers, mut seen) = (Numbers::default(), Vec::new());
            for table in tables {
                for (token, number) in table.iter().zip(numbers.of(&table)) {
                    let place = seen.iter().position(|known| known == token);
                    let place = place.unwrap_or_else(|| {
                        seen.push(*token);
                        seen.len() - 1
                    });
                    prop_assert_eq!(number as usize, place);
                }
            }
            prop_assert_eq!(numbers.len(), seen.len() as u64);
        }
    }
}
