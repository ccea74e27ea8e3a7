use unicode_normalization::UnicodeNormalization as _;

use crate::pattern::{Pattern, always, digits, luhn, pattern, telephone};
use crate::text::{INSURED_NUMBER, INSURER_NUMBER, MAIL, POSTAL_CODE};

/// The pattern that [`value`] names when the value is a day.
pub const DATE: &str = "date";

/// What may name a person in one field of a table. Fields hold codes, and a code may look like
/// part of a number: where free text takes any run of digits, these want the whole run.
static VALUE: [Pattern; 13] = [
    // Before the numbers: a day, or a moment of one, may be written in digits alone.
    pattern!(
        DATE,
        always,
        r"(?:^|[^0-9A-Za-z])(?:1[89]|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?(?:[^0-9]|$)"
    ),
    pattern!(
        DATE,
        always,
        r"(?:^|[^0-9A-Za-z])(?:1[89]|20)\d\d *[-/.年] *(?:0?[1-9]|1[0-2]) *[-/.月] *(?:0?[1-9]|[12]\d|3[01])(?:[^0-9]|$)"
    ),
    pattern!(
        DATE,
        always,
        r"(?:^|[^0-9A-Za-z])(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:1[89]|20)\d\d(?:[^0-9]|$)"
    ),
    pattern!(
        DATE,
        always,
        r"(?:明治|大正|昭和|平成|令和|(?:^|[^0-9A-Za-z])[MTSHR]) *(?:元|\d{1,2}) *[-/.年] *(?:0?[1-9]|1[0-2]) *[-/.月] *(?:0?[1-9]|[12]\d|3[01])(?:[^0-9]|$)"
    ),
    pattern!("card_number", card, r"(?-u:\b)[2-6](?:[ -]?\d){13,18}(?-u:\b)"),
    pattern!("individual_number", individual_number, r"(?-u:\b)\d{4}[ -]?\d{4}[ -]?\d{4}(?-u:\b)"),
    pattern!("mail", always, MAIL),
    pattern!(
        "telephone",
        telephone,
        r"(?:^|[^0-9A-Za-z])(?:\+81[ -]?|0)\d{1,4}[-( ]?\d{1,4}[-) ]?\d{3,4}(?-u:\b)"
    ),
    pattern!("insurer_number", always, INSURER_NUMBER),
    pattern!("insured_number", always, INSURED_NUMBER),
    pattern!("postal_code", always, POSTAL_CODE),
    // At the end only: inside a term it may mean "like", as in 喘息様気管支炎.
    pattern!(
        "name",
        always,
        r"\p{Han}{1,4} ?[\p{Han}\p{Hiragana}\p{Katakana}]{0,4}(?:さん|様|氏|殿)$"
    ),
    // A full name standing alone: family name, space, given name, both in one kind of letters
    // or the given name in kana.
    pattern!(
        "name",
        always,
        r"^(?:\p{Han}{1,4} +[\p{Han}\p{Hiragana}\p{Katakana}ー]{1,5}|[\p{Katakana}ー]{2,8} +[\p{Katakana}ー]{1,8}|\p{Hiragana}{2,8} +\p{Hiragana}{1,8})$"
    ),
];

/// Which pattern a value of a table fits, if any: it may then name a person or a day of one.
#[must_use]
pub fn value(text: &str) -> Option<&'static str> {
    let text: String = text.trim().nfkc().map(plain).collect();
    VALUE.iter().find(|pattern| pattern.is_in(&text)).map(Pattern::name)
}

/// Dashes are typed in many ways.
fn plain(letter: char) -> char {
    match letter {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    }
}

/// Payment cards begin with 2 to 6 (ISO/IEC 7812-1); codes of goods and drugs of 13 digits and
/// those that begin with 1 do not.
fn card(text: &str) -> bool {
    (14..=19).contains(&digits(text).count()) && luhn(text)
}

/// The check digit of the individual number (個人番号; ministerial order 85 of 2014, article 5).
fn individual_number(text: &str) -> bool {
    let mut reversed = digits(text).rev();
    let Some(check) = reversed.next() else { return false };
    let sum: u32 = reversed.zip([2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]).map(|(p, q)| p * q).sum();
    let wanted = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    check == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ri_1_values_that_may_name_a_person_are_found() {
        for (text, wanted) in [
            ("090-1234-5678", "telephone"),
            ("０３−１２３４−５６７８", "telephone"),
            ("09012345678", "telephone"),
            ("+81 90-1234-5678", "telephone"),
            ("4111 1111 1111 1111", "card_number"),
            ("４１１１１１１１１１１１１１１１", "card_number"),
            ("1234 5678 9018", "individual_number"),
            ("123456789018", "individual_number"),
            ("a.b@example.org", "mail"),
            ("保険者番号：06130012", "insurer_number"),
            ("記号123・番号456789", "insured_number"),
            ("〒100-0014", "postal_code"),
            ("隣人の佐藤さん", "name"),
            ("山田 太郎", "name"),
            ("山田　太郎", "name"),
            ("佐々木 さくら", "name"),
            ("ヤマダ タロウ", "name"),
            ("ﾔﾏﾀﾞ ﾀﾛｳ", "name"),
            ("やまだ たろう", "name"),
        ] {
            assert_eq!(value(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn ri_1_days_are_found() {
        let days = "2024-01-31|2024/1/31|2024.01.31|20240131|2024-01-31T10:00:00|20240131103000|\
            2024年1月31日|31/01/2024|1/31/2024|令和6年1月31日|令和元年5月1日|昭和 45 年 3 月 2 日|\
            S45.3.2|R6/1/31|２０２４－０１－３１|受診日 2024-01-31";
        for text in days.split('|') {
            assert_eq!(value(text), Some(DATE), "{text}");
        }
    }

    #[test]
    fn codes_are_let_through() {
        let codes = "C34.1 I10 L01XC02 3A010000002326101 1149019F1560 620000001 160000410 \
            1034577010101 4987123456789 160800xx01xxxx 99.04 男 女 急性胃炎 喘息様気管支炎 \
            ペニシリン系 東京都 65-74 2024 2024-01 NT-proBNP PT-* 12345678 1.2.392.100495 010 \
            https://example.org/code カード";
        for text in codes.split(' ') {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
