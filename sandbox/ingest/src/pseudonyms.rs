use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sekisho_vault::{Context, Key, Zeroizing};
use sha2::Sha256;

/// Letters of RFC 4648 base32, lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Everything that is derived from the identified zone's secret: one-way, keyed, and bound to
/// a purpose and an id space (DP-2, DP-4). Whoever lacks the secret can neither compute nor
/// test a guess, however short the list of possible values.
#[derive(Clone)]
pub struct Pseudonyms {
    secret: Key,
    space: String,
}

impl Pseudonyms {
    /// Derivations of one id space.
    #[must_use]
    pub fn new(secret: Key, space: &str) -> Self {
        Self { secret, space: space.to_owned() }
    }

    /// The id space.
    #[must_use]
    pub fn space(&self) -> &str {
        &self.space
    }

    /// A person's token and 64 further bits to tell collisions by.
    pub(crate) fn person(&self, id: &[u8]) -> (u64, u64) {
        let mac = self.mac(&self.context("sekisho.patient-token.v1").bytes(id));
        (number(&mac, 0), number(&mac, 8))
    }

    /// The code that stands for another identifier, such as an institution's: 16 letters and
    /// digits, 80 bits.
    #[must_use]
    pub fn code(&self, purpose: &str, text: &str) -> String {
        let context = self.context("sekisho.column-token.v1").text(purpose).text(text);
        let mac = self.mac(&context);
        let bits = u128::from(number(&mac, 0)) << 64 | u128::from(number(&mac, 8));
        let letter = |place: u32| {
            let letter = bits >> (123 - 5 * place) & 31;
            BASE32.get(letter as usize).copied().map_or('-', char::from)
        };
        (0..16).map(letter).collect()
    }

    /// By how many days a person's dates are moved: from `-most` to `most`, never 0.
    #[must_use]
    pub fn shift(&self, id: &[u8], most: u32) -> i32 {
        if most == 0 {
            return 0;
        }
        let mac = self.mac(&self.context("sekisho.date-shift.v1").bytes(id));
        let most = i64::from(most.min(36_500));
        // The modulus is tiny beside 2^64, so every offset is as likely as any other.
        let drawn = (number(&mac, 0) % (2 * most).unsigned_abs()) as i64;
        let days = if drawn < most { drawn - most } else { drawn - most + 1 };
        days as i32
    }

    /// Digest of a source file that only the identified zone can check, in hexadecimal.
    #[must_use]
    pub fn keyed_digest(&self, sha256: &[u8]) -> String {
        hex::encode(self.mac(&Context::new("sekisho.source-digest.v1").bytes(sha256)))
    }

    fn context(&self, purpose: &str) -> Context {
        Context::new(purpose).text(&self.space)
    }

    fn mac(&self, context: &Context) -> [u8; 32] {
        // HMAC fills a short key up with zeros to its block of 64 bytes (RFC 2104).
        let mut block = Zeroizing::new([0_u8; 64]);
        if let Some(start) = block.first_chunk_mut() {
            *start = *self.secret.danger_bytes();
        }
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(context.encode());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonyms({})", self.space)
    }
}

fn number(mac: &[u8; 32], skip: usize) -> u64 {
    mac.iter().skip(skip).take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(seed: u8) -> Pseudonyms {
        Pseudonyms::new(Key::danger_from_bytes(&[seed; 32]).unwrap(), "site")
    }

    #[test]
    fn the_mac_is_hmac_sha_256() {
        let mut key = [0_u8; 32];
        key[..20].fill(0x0b);
        let names = Pseudonyms::new(Key::danger_from_bytes(&key).unwrap(), "");
        let mut mac = Hmac::<Sha256>::new_from_slice(&[0x0b; 20]).unwrap();
        let context = Context::new("any");
        mac.update(context.encode());
        assert_eq!(names.mac(&context).as_slice(), mac.finalize().into_bytes().as_slice());
    }

    #[test]
    fn dp_2_codes_depend_on_secret_purpose_and_text() {
        let code = names(1).code("institution", "1312345");
        assert_eq!(code.len(), 16);
        assert_eq!(code, names(1).code("institution", "1312345"));
        for other in [
            names(2).code("institution", "1312345"),
            names(1).code("insurer", "1312345"),
            names(1).code("institution", "1312346"),
        ] {
            assert_ne!(code, other);
        }
    }

    /// Institution numbers have seven digits: without a key anybody could hash them all.
    #[test]
    fn dp_4_a_dictionary_attack_on_codes_finds_none() {
        let all: Vec<String> = (0..3000).map(|number| format!("{number:07}")).collect();
        let sealed: HashSet<String> =
            all.iter().map(|text| names(1).code("institution", text)).collect();
        let guesses = [0_u8, 2, 0xff];
        let found = guesses
            .iter()
            .flat_map(|seed| all.iter().map(|text| names(*seed).code("institution", text)));
        assert_eq!(found.filter(|code| sealed.contains(code)).count(), 0);
        assert_eq!(sealed.len(), all.len());
    }

    #[test]
    fn dates_of_one_person_move_together_and_never_stay() {
        let shifts: Vec<i32> =
            (0..2000).map(|id: u32| names(1).shift(&id.to_be_bytes(), 30)).collect();
        assert!(shifts.iter().all(|days| (-30..=30).contains(days) && *days != 0));
        assert_eq!(shifts.iter().collect::<HashSet<_>>().len(), 60, "all offsets occur");
        assert_eq!(names(1).shift(b"P1", 30), names(1).shift(b"P1", 30));
    }
}
