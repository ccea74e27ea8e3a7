use std::collections::BTreeMap;

use sekisho_identifying::TEXT;
use unicode_normalization::UnicodeNormalization as _;

/// Shortest removed value that is looked for in text: one character names nobody.
const SHORTEST: usize = 2;

/// Removes what may name a person from free text (DP-3): what the row's removed columns say
/// of them, and what looks like a name, number or address. Patterns err on the side of
/// removing; the regular expressions take linear time whatever the text.
pub(super) struct Scrubber {
    /// Places of the removed source columns.
    removed: Vec<usize>,
    /// What they hold in the present row.
    known: Vec<String>,
    found: BTreeMap<&'static str, u64>,
}

impl Scrubber {
    pub(super) fn new(removed: Vec<usize>) -> Self {
        Self { removed, known: Vec::new(), found: BTreeMap::new() }
    }

    /// Learns what the removed columns of the next row hold.
    pub(super) fn next_row(&mut self, fields: &[&str]) {
        self.known.clear();
        for field in self.removed.iter().filter_map(|place| fields.get(*place)) {
            let whole: String = field.nfkc().collect();
            let parts = whole.split_whitespace().map(str::to_owned);
            let joined: String = whole.split_whitespace().collect();
            self.known
                .extend(parts.chain([joined]).filter(|part| part.chars().count() >= SHORTEST));
        }
        // The whole name before its parts.
        self.known.sort_by_key(|part| std::cmp::Reverse(part.len()));
    }

    /// The text without what may name a person, full and half width made alike.
    pub(super) fn scrub(&mut self, text: &str) -> String {
        let mut text: String = text.nfkc().collect();
        for known in &self.known {
            let times = text.matches(known.as_str()).count();
            if times > 0 {
                *self.found.entry("removed_column").or_default() += times as u64;
                text = text.replace(known.as_str(), "〔氏名等〕");
            }
        }
        for pattern in &TEXT {
            let (replaced, times) = pattern.replace(&text);
            text = replaced;
            if times > 0 {
                *self.found.entry(pattern.name()).or_default() += times;
            }
        }
        text
    }

    /// How often each pattern was found; never what was found.
    pub(super) fn found(&self) -> BTreeMap<String, u64> {
        self.found.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(text: &str) -> (String, Vec<String>) {
        let mut scrubber = Scrubber::new(Vec::new());
        let clean = scrubber.scrub(text);
        (clean, scrubber.found().into_keys().collect())
    }

    #[test]
    fn dp_3_a_planted_card_number_is_removed_and_other_numbers_stay() {
        for card in
            ["4111 1111 1111 1111", "4111-1111-1111-1111", "４１１１１１１１１１１１１１１１"]
        {
            let (clean, found) = scrub(&format!("支払いは{card}で"));
            assert_eq!(
                (clean.as_str(), found),
                ("支払いは〔カード番号〕で", vec!["card_number".to_owned()])
            );
        }
        let (clean, found) = scrub("収縮期血圧 211、体重 53.4、白血球 8900");
        assert_eq!((clean.as_str(), found.len()), ("収縮期血圧 211、体重 53.4、白血球 8900", 0));
    }

    #[test]
    fn dp_1_names_telephones_and_insurance_numbers_are_removed() {
        for (text, wanted) in [
            ("長男(090-1234-5678)へ連絡", "長男(〔電話番号〕)へ連絡"),
            ("０３－１２３４－５６７８", "〔電話番号〕"),
            ("保険者番号：06130012", "〔保険者番号〕"),
            ("記号123・番号456789", "〔被保険者番号〕"),
            ("a.b@example.org まで", "〔メール〕 まで"),
            ("〒100-0014", "〔郵便番号〕"),
            ("隣人の佐藤さんが同伴", "〔氏名〕が同伴"),
        ] {
            let (clean, found) = scrub(text);
            assert!(!found.is_empty(), "{text}");
            assert!(clean.contains(wanted.trim_end_matches("が同伴")), "{text}: {clean}");
        }
    }

    #[test]
    fn dp_1_what_the_removed_columns_say_is_removed_from_text() {
        let mut scrubber = Scrubber::new(vec![0]);
        scrubber.next_row(&["内閣　花子", "x"]);
        assert_eq!(scrubber.scrub("内閣花子は来院。花子の母"), "〔氏名等〕は来院。〔氏名等〕の母");
        assert_eq!(scrubber.found()["removed_column"], 2);
        scrubber.next_row(&["厚労 太郎", "x"]);
        assert_eq!(scrubber.scrub("花子"), "花子", "another row's names are not looked for");
    }

    #[test]
    fn long_hostile_text_takes_no_time() {
        let hostile = "0-".repeat(100_000) + &"1".repeat(100_000);
        scrub(&hostile);
    }
}
