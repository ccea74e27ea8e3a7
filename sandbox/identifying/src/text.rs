use crate::pattern::{Pattern, always, luhn, pattern, telephone};
use crate::value::DATE;

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

macro_rules! day {
    ($text:expr) => {
        pattern!(DATE, "〔日付〕", always, $text)
    };
}

/// Days and months of the calendar in free text, as they are written in Japanese and in the
/// West, with or without a year: what would tell by how many days dates beside the text are
/// moved (DP-4). A year alone is none. They err on the side of finding: `3/5` may be a share.
pub static DAYS: [Pattern; 6] = [
    // 令和6年3月5日, 2024年3月, 3月5日, 六年三月五日.
    day!(
        r"(?:(?:明治|大正|昭和|平成|令和|[MTSHR])? *[\d元〇一二三四五六七八九十]{1,4} *年 *)?[\d一二三四五六七八九十]{1,3} *月 *[\d一二三四五六七八九十]{1,3} *日"
    ),
    day!(
        r"(?:明治|大正|昭和|平成|令和|[MTSHR])? *[\d元〇一二三四五六七八九十]{1,4} *年 *[\d一二三四五六七八九十]{1,3} *月"
    ),
    // R6.3.5, 令和6.3.5, 2024-03-05, 2024/3/5, 24/3/5, 5.3.2024, and what has no day: 2024-03, R6.3.
    day!(
        r"(?:明治|大正|昭和|平成|令和|[MTSHR])? *(?:元|\d{1,4}) *[-/.‐-―−] *\d{1,2} *[-/.‐-―−] *\d{1,4}"
    ),
    day!(
        r"(?:(?:明治|大正|昭和|平成|令和) *(?:元|\d{1,2})|(?-u:\b)R\d{1,2}|(?-u:\b)(?:1[89]|20)\d\d) *[-/.‐-―−] *(?:0?[1-9]|1[0-2])(?-u:\b)"
    ),
    // 20240305, with or without a time; 3/5.
    day!(
        r"(?-u:\b)(?:(?:1[89]|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?|(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))(?-u:\b)"
    ),
    // 5 March 2024, Mar. 5th, March 2024.
    day!(
        r"(?i-u:(?:\b\d{1,2}(?:st|nd|rd|th)?[ -]*)?\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b[., -]*\d{1,4}(?:st|nd|rd|th)?(?:[, ]+\d{4})?)|(?i-u:\b\d{1,2}(?:st|nd|rd|th)?[ -]*(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b)"
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

    fn without_days(text: &str) -> String {
        DAYS.iter().fold(text.to_owned(), |text, pattern| pattern.replace(&text).0)
    }

    #[test]
    fn dp_4_days_of_free_text_are_found_however_they_are_written() {
        let days = "令和6年3月5日|令和元年5月1日|R6.3.5|R6/3/5|R6年3月5日|S 45.3.2|2024-03-05|\
            2024/3/5|2024.3.5|2024年3月5日|2024年 3月 5日|二〇二四年三月五日|令和六年三月|3月5日|\
            2024年3月|2024-03|2024/3|令和6.3|20240305|20240305103000|3/5|05/03/2024|24/3/5|\
            2024−03−05|2024‐3‐5|5 March 2024|Mar 5, 2024|march 5th|5th of may 2024|May 2024|\
            12-Oct-2024|5 Sept";
        for day in days.split('|') {
            let clean = without_days(&format!("術後{day}に再診"));
            let left = clean.replace("of", "").chars().filter(char::is_ascii_alphanumeric).count();
            assert!(clean.contains("〔日付〕") && left <= 4, "{day}: {clean}");
        }
        assert_eq!(
            without_days("入院令和6年3月5日、退院2024/3/9。"),
            "入院〔日付〕、退院〔日付〕。"
        );
    }

    #[test]
    fn what_is_no_day_stays() {
        for text in [
            "収縮期血圧 211、体重 53.4、白血球 8900",
            "2024年度、3か月後、5日間、10年前",
            "血圧 120/80、110/70",
            "may be margin 5 mm, marked 3",
            "記号 L4-5、Th12、T2 強調",
        ] {
            assert_eq!(without_days(text), text);
        }
    }

    #[test]
    fn every_pattern_compiles_and_long_hostile_text_takes_no_time() {
        let hostile = "0-".repeat(100_000) + &"1".repeat(100_000);
        for pattern in TEXT.iter().chain(&DAYS) {
            let _ = pattern.replace(&hostile);
        }
    }
}
