use crate::pattern::{Pattern, always, luhn, pattern, telephone};

pub(crate) const MAIL: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}";
pub(crate) const INSURER_NUMBER: &str = r"保険者番号\s*[::]?\s*\d{6,8}";
pub(crate) const INSURED_NUMBER: &str =
    r"(?:被保険者(?:証)?(?:等)?(?:記号|番号)?|記号|番号)\s*[::]?\s*\d[\d ・-]{2,}";
pub(crate) const POSTAL_CODE: &str = r"〒?\b\d{3}-\d{4}\b";

/// What may name a person in free text (DP-1, DP-3). They err on the side of finding. In this
/// order: a card number holds what looks like a telephone number.
pub static TEXT: [Pattern; 7] = [
    pattern!("card_number", "〔カード番号〕", luhn, r"\d(?:[ -]?\d){12,18}"),
    pattern!("mail", "〔メール〕", always, MAIL),
    pattern!(
        "telephone",
        "〔電話番号〕",
        telephone,
        r"(?:\+81[ -]?|0)\d{1,4}[-( ]?\d{1,4}[-) ]?\d{3,4}"
    ),
    pattern!("insurer_number", "〔保険者番号〕", always, INSURER_NUMBER),
    pattern!("insured_number", "〔被保険者番号〕", always, INSURED_NUMBER),
    pattern!("postal_code", "〔郵便番号〕", always, POSTAL_CODE),
    pattern!(
        "name",
        "〔氏名〕",
        always,
        r"\p{Han}{1,4}[ \u{3000}]?[\p{Han}\p{Hiragana}\p{Katakana}]{0,4}(?:さん|様|氏|殿)"
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dp_3_a_card_number_is_one_by_its_check_digit() {
        let [card, ..] = &TEXT;
        assert_eq!(card.replace("4111 1111 1111 1111").1, 1);
        assert_eq!(card.replace("4111 1111 1111 1112").1, 0);
    }

    #[test]
    fn every_pattern_compiles_and_long_hostile_text_takes_no_time() {
        let hostile = "0-".repeat(100_000) + &"1".repeat(100_000);
        for pattern in &TEXT {
            let _ = pattern.replace(&hostile);
        }
    }
}
