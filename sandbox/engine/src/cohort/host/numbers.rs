use std::collections::HashMap;

/// Numbers of patients by token, given in order of first sight. Tokens stay here; the numbers
/// that cross mean nothing outside the run.
///
/// Tables are sorted by token, so the first pass mostly appends and later ones mostly find
/// the next entry: what a hash table would pay in cache misses for every patient is spared.
#[derive(Default)]
pub(crate) struct Numbers {
    /// Tokens and numbers, rising in both.
    rising: Vec<(u64, u32)>,
    /// Tokens that were first seen after a larger one.
    late: HashMap<u64, u32>,
    /// Where in `rising` the next token is expected.
    next: usize,
}

impl Numbers {
    /// Patients seen so far.
    pub(crate) fn len(&self) -> u64 {
        (self.rising.len() + self.late.len()) as u64
    }

    /// The number of each row's patient.
    pub(super) fn of(&mut self, tokens: &[u64]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(tokens.len());
        // Rows of one patient stand together: one look-up for all of them.
        for same in tokens.chunk_by(|a, b| a == b) {
            let Some(token) = same.first() else { continue };
            let number = self.number(*token);
            numbers.resize(numbers.len() + same.len(), number);
        }
        numbers
    }

    fn number(&mut self, token: u64) -> u32 {
        if self.rising.last().is_none_or(|(last, _)| *last < token) {
            let number = self.fresh();
            self.rising.push((token, number));
            self.next = self.rising.len();
            return number;
        }
        let expected = self.rising.get(self.next).filter(|(known, _)| *known == token);
        if let Some((_, number)) = expected {
            self.next += 1;
            return *number;
        }
        let found = self.rising.binary_search_by_key(&token, |(known, _)| *known);
        match found.map(|at| (at, self.rising.get(at))) {
            Ok((at, Some((_, number)))) => {
                self.next = at + 1;
                *number
            }
            _ => {
                let fresh = self.fresh();
                *self.late.entry(token).or_insert(fresh)
            }
        }
    }

    fn fresh(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
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
            for (index, mut table) in tables.into_iter().enumerate() {
                // As scans are, but for some.
                if index % 3 < 2 {
                    table.sort_unstable();
                }
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
