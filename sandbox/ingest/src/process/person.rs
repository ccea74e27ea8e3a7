use sekisho_dataset::ROW_NUMBER;
use sekisho_identifying::is_unseen;
use unicode_normalization::UnicodeNormalization as _;

use super::{FieldError, MAX_FIELD_BYTES, dates};

/// How a row says whose it is.
#[derive(Clone, Debug, Default)]
pub(super) struct PersonId {
    /// Places of the columns the id is made of; `None` stands for the row's number.
    places: Vec<Option<usize>>,
    source: String,
}

impl PersonId {
    pub(super) fn new(places: Vec<Option<usize>>, source: &str) -> Self {
        Self { places, source: source.to_owned() }
    }

    /// The id as it goes into the token: each part normalised, so that a person has one
    /// token however a source spells name and date (LK-2).
    pub(super) fn id(
        &self,
        fields: &[&str],
        number: u64,
        missing: &[String],
    ) -> Result<Vec<u8>, FieldError> {
        let wrong = |code, reason: &str| {
            let column = self.source.clone();
            FieldError { code, column, reason: reason.to_owned() }
        };
        if self.source == ROW_NUMBER {
            return Ok(number.to_string().into_bytes());
        }
        let mut parts = Vec::new();
        for place in self.places.iter().flatten() {
            let field = fields.get(*place).map_or("", |field| field.trim());
            if field.len() > MAX_FIELD_BYTES {
                let reason = format!("{} bytes, at most {MAX_FIELD_BYTES} are taken", field.len());
                return Err(wrong("source.long_field", &reason));
            }
            if missing.iter().any(|text| text == field) {
                return Err(wrong("source.missing_value", "a value is needed"));
            }
            parts.push(field);
        }
        normalised_id(&parts).ok_or_else(|| wrong("source.missing_value", "a value is needed"))
    }
}

/// The bytes of an id made of these parts; `None` when one is empty. Among several parts eight
/// digits that are a date are one: receipts write dates so.
pub(crate) fn normalised_id(parts: &[&str]) -> Option<Vec<u8>> {
    let mut id = Vec::new();
    for part in parts {
        let mut part = normalised(part);
        if parts.len() > 1
            && let Some(date) = dates::days(&part).and_then(iso)
        {
            part = date;
        }
        if part.is_empty() {
            return None;
        }
        if !id.is_empty() {
            // No normalised text holds this character.
            id.push(0x1f);
        }
        id.extend_from_slice(part.as_bytes());
    }
    (!id.is_empty()).then_some(id)
}

/// A text in one spelling: without letters that show nothing (U+FEFF and its like), full and half width alike (NFKC), hiragana as katakana, Latin
/// letters in capitals, without spaces, dates as `YYYY-MM-DD`.
pub(super) fn normalised(text: &str) -> String {
    let plain: String = text
        .chars()
        // Before: between two letters they would hinder NFKC.
        .filter(|letter| !is_unseen(*letter))
        .nfkc()
        .filter(|letter| !letter.is_whitespace() && !letter.is_control())
        .map(|letter| match letter {
            'ぁ'..='ゖ' => char::from_u32(u32::from(letter) + 0x60).unwrap_or(letter),
            _ => letter.to_ascii_uppercase(),
        })
        .collect();
    match dates::days(&plain) {
        // Only a date with separators: eight digits may be any number.
        Some(days) if plain.contains(['/', '-']) => iso(days).unwrap_or(plain),
        _ => plain,
    }
}

fn iso(days: i32) -> Option<String> {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).ok()?;
    Some(date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(fields: &[&str]) -> Vec<u8> {
        let places = (0..fields.len()).map(Some).collect();
        PersonId::new(places, "kana_name").id(fields, 1, &[String::new()]).unwrap()
    }

    #[test]
    fn lk_2_one_person_has_one_id_however_sources_spell_it() {
        let one = id(&["ナイカク　ハナコ", "2003/2/26", "2"]);
        assert_eq!(id(&["ﾅｲｶｸ ﾊﾅｺ", "2003-02-26", "２"]), one);
        assert_eq!(id(&["ないかく はなこ", "2003/02/26", "2"]), one);
        assert_eq!(id(&["ナイカクハナコ", "20030226", "2"]), one);
        assert_ne!(id(&["20030226"]), id(&["2003-02-26"]), "a number alone is no date");
        assert_ne!(id(&["ナイカク　ハナコ", "2003/2/27", "2"]), one);
        assert_ne!(id(&["ナイカクハナ", "コ2003/2/26", "2"]), one, "parts do not run together");
    }

    #[test]
    fn lk_2_letters_that_show_nothing_make_no_other_person() {
        let one = id(&["ナイカク　ハナコ", "2003/2/26", "2"]);
        let hidden = "\u{feff}ナイ\u{200b}カク\u{ad} ハナコ\u{200d}";
        assert_eq!(id(&[hidden, "\u{200e}2003/2/26", "2\u{2060}"]), one);
        assert_eq!(normalised("ハ\u{200b}\u{3099}"), "バ", "they part no letter from its mark");
        assert_eq!(normalised("葛\u{e0100}西"), "葛西");
        let person = PersonId::new(vec![Some(0)], "id");
        let wrong = person.id(&["\u{feff}\u{200b}"], 1, &[String::new()]).unwrap_err();
        assert_eq!(wrong.code, "source.missing_value");
    }

    #[test]
    fn half_width_voiced_kana_and_digits_are_one_spelling() {
        assert_eq!(normalised("ﾀﾞﾊﾞ ０１２ab"), "ダバ012AB");
        assert_eq!(normalised("20030226"), "20030226");
    }

    #[test]
    fn a_missing_part_is_an_error_that_shows_nothing() {
        let person = PersonId::new(vec![Some(0), Some(1)], "kana_name");
        let wrong = person.id(&["ナイカク", " "], 1, &[String::new()]).unwrap_err();
        assert_eq!((wrong.code, wrong.column.as_str()), ("source.missing_value", "kana_name"));
        assert!(!wrong.reason.contains("ナイカク"));
    }
}
