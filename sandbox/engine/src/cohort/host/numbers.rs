use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Numbers of patients by token, given in order of first sight. Tokens stay here; the numbers
/// that cross mean nothing outside the run.
#[derive(Default)]
pub(crate) struct Numbers(HashMap<u64, u32, BuildHasherDefault<TokenHasher>>);

impl Numbers {
    /// Patients seen so far.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The number of each row's patient.
    pub(super) fn of(&mut self, tokens: &[u64]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(tokens.len());
        // Rows of one patient stand together: one look-up for all of them.
        for same in tokens.chunk_by(|a, b| a == b) {
            let Some(token) = same.first() else { continue };
            let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            let number = *self.0.entry(*token).or_insert(next);
            numbers.resize(numbers.len() + same.len(), number);
        }
        numbers
    }
}

/// Tokens come out of a keyed one-way function: they are as good as hashed already. Folding
/// the halves spares nothing of that and spreads tokens that a test made in sequence.
#[derive(Default)]
pub(crate) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, token: u64) {
        self.0 = token ^ token.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_first_sight_and_stay() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of(&[90, 90, 70]), [0, 0, 1]);
        assert_eq!(numbers.of(&[70, 80, 90]), [1, 2, 0]);
        assert_eq!(numbers.len(), 3);
    }
}
