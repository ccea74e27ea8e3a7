use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use sekisho_vault::Key;

use crate::{IngestError, Pseudonyms};

/// Turns ids of persons into keyed one-way tokens (requirement DP-4): the first 64 bits of
/// HMAC-SHA-256 over the id space and the id. Without the key no one can compute or test a
/// token, however short the list of possible ids.
pub struct PatientTokens {
    names: Pseudonyms,
    last: Option<(Vec<u8>, u64)>,
    /// The next 64 bits of each token seen: differ when two ids collide.
    seen: HashMap<u64, u64>,
    /// Tokens whose ids are asked for (RI-2), and those met.
    wanted: HashSet<u64>,
    met: BTreeMap<u64, Vec<u8>>,
}

impl PatientTokens {
    /// Tokens of one id space under the identified zone's secret.
    #[must_use]
    pub fn new(secret: Key, space: &str) -> Self {
        Self {
            names: Pseudonyms::new(secret, space),
            last: None,
            seen: HashMap::new(),
            wanted: HashSet::new(),
            met: BTreeMap::new(),
        }
    }

    /// From now on keeps the ids behind these tokens, and no others.
    pub(crate) fn look_for(&mut self, wanted: HashSet<u64>) {
        self.wanted = wanted;
    }

    /// The ids that were looked for and met, by token.
    pub(crate) fn into_met(self) -> BTreeMap<u64, Vec<u8>> {
        self.met
    }

    /// The token of one id; always the same for the same secret, space and id.
    pub fn token(&mut self, id: &[u8]) -> Result<u64, IngestError> {
        // A patient's rows mostly follow each other.
        if let Some((last, token)) = &self.last
            && last == id
        {
            return Ok(*token);
        }
        let (token, check) = self.names.person(id);
        self.see(token, check)?;
        if self.wanted.contains(&token) {
            self.met.entry(token).or_insert_with(|| id.to_owned());
        }
        self.last = Some((id.to_owned(), token));
        Ok(token)
    }

    /// Remembers a person by token and its next 64 bits; two with one token are an error.
    pub(crate) fn see(&mut self, token: u64, check: u64) -> Result<(), IngestError> {
        match self.seen.entry(token) {
            Entry::Occupied(seen) if *seen.get() != check => Err(IngestError::TokenCollision),
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(place) => {
                place.insert(check);
                Ok(())
            }
        }
    }

    /// The persons remembered.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (u64, u64)> {
        self.seen.iter().map(|(token, check)| (*token, *check))
    }

    /// What else is derived in this id space.
    #[must_use]
    pub fn names(&self) -> &Pseudonyms {
        &self.names
    }
}

impl fmt::Debug for PatientTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PatientTokens({}, {} seen)", self.names.space(), self.seen.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sekisho_vault::Context;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn tokens(space: &str) -> PatientTokens {
        PatientTokens::new(Key::danger_from_bytes(&[7; 32]).unwrap(), space)
    }

    #[test]
    fn a_person_keeps_one_token_within_a_space() {
        let mut one = tokens("site");
        let first = one.token(b"P1").unwrap();
        assert_ne!(one.token(b"P2").unwrap(), first);
        assert_eq!(one.token(b"P1").unwrap(), first);
        assert_eq!(tokens("site").token(b"P1").unwrap(), first);
        assert_ne!(tokens("other").token(b"P1").unwrap(), first);
    }

    #[test]
    fn dp_2_another_key_gives_other_tokens() {
        let other = Key::danger_from_bytes(&[8; 32]).unwrap();
        let other = PatientTokens::new(other, "site").token(b"P1").unwrap();
        assert_ne!(tokens("site").token(b"P1").unwrap(), other);
    }

    /// An attacker who knows every possible id and our algorithm, but not the key, tries
    /// them all, with every way of hashing at hand.
    #[test]
    fn dp_4_a_dictionary_attack_without_the_key_finds_nobody() {
        let ids: Vec<String> = (0..2000).map(|number| format!("{number:010}")).collect();
        let mut ours = tokens("site");
        let sealed: HashSet<u64> =
            ids.iter().map(|id| ours.token(id.as_bytes()).unwrap()).collect();
        let mut guessed = Vec::new();
        for key in [[0; 32], [0xff; 32], *b"sekisho-sekisho-sekisho-sekisho-"] {
            let mut guess = PatientTokens::new(Key::danger_from_bytes(&key).unwrap(), "site");
            guessed.extend(ids.iter().map(|id| guess.token(id.as_bytes()).unwrap()));
        }
        for id in &ids {
            let context =
                Context::new("sekisho.patient-token.v1").text("site").bytes(id.as_bytes());
            for hash in [Sha256::digest(id), Sha256::digest(context.encode())] {
                let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
                guessed.extend([half(&hash[..8]), half(&hash[8..16])]);
            }
            guessed.push(id.parse().unwrap());
        }
        assert_eq!(guessed.iter().filter(|token| sealed.contains(token)).count(), 0);
        // With the key the same attack finds everybody, so the test can fail.
        let mut insider = tokens("site");
        assert!(ids.iter().all(|id| sealed.contains(&insider.token(id.as_bytes()).unwrap())));
    }

    #[test]
    fn dp_4_tokens_do_not_follow_the_order_of_ids() {
        let mut ours = tokens("site");
        let tokens: Vec<u64> =
            (0..1000_u32).map(|id| ours.token(id.to_string().as_bytes()).unwrap()).collect();
        let rising = tokens.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "{rising} of 999 rise");
    }

    #[test]
    fn two_ids_with_one_token_are_an_error() {
        let mut ours = tokens("site");
        let token = ours.token(b"P1").unwrap();
        ours.last = None;
        ours.seen.insert(token, 0);
        assert!(matches!(ours.token(b"P1"), Err(IngestError::TokenCollision)));
    }
}
