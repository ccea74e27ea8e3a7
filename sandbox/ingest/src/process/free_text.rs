use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use sekisho_identifying::{DAYS, Pattern, TEXT, is_unseen};
use unicode_normalization::UnicodeNormalization as _;

use super::value::Wrong;
use super::{FieldError, MAX_FIELD_BYTES};

/// Shortest removed value that is looked for in text: one character names nobody.
const SHORTEST: usize = 2;

/// Longest text that may be left, in bytes: marks are longer than what they stand for, and so
/// is the common spelling of some letters.
const MAX_SCRUBBED_BYTES: usize = 4 * MAX_FIELD_BYTES;

/// Stands for what a removed column says.
const MARK: &str = "〔氏名等〕";

/// Removes what may name a person from free text (DP-3): what the row's removed columns say
/// of them, and what looks like a name, number or address. Patterns err on the side of
/// removing. Words and regular expressions alike take one pass each, in linear time whatever
/// the text.
pub(super) struct Scrubber {
    /// Places and headers of the removed source columns.
    removed: Vec<(usize, String)>,
    /// Finds what they hold in the present row; `None` when that is nothing.
    known: Option<AhoCorasick>,
    /// Days too, when the profile moves dates.
    patterns: Vec<&'static Pattern>,
    found: BTreeMap<&'static str, u64>,
}

impl Scrubber {
    /// `moves_dates`: whether days in the text would tell by how many dates are moved (DP-4).
    pub(super) fn new(removed: Vec<(usize, String)>, moves_dates: bool) -> Self {
        // Last: a telephone number may hold what looks like a day.
        let days = DAYS.iter().filter(|_| moves_dates);
        let patterns = TEXT.iter().chain(days).collect();
        Self { removed, known: None, patterns, found: BTreeMap::new() }
    }

    /// Learns what the removed columns of the next row hold.
    pub(super) fn next_row(&mut self, fields: &[&str]) -> Result<(), FieldError> {
        self.known = None;
        let words = self.words(fields)?;
        if words.is_empty() {
            return Ok(());
        }
        // Each row has its own: quick to make counts for more than quick to search.
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::NoncontiguousNFA)).prefilter(false);
        // The whole name before its parts.
        let known = builder.match_kind(MatchKind::LeftmostLongest).build(&words);
        self.known = Some(known.map_err(|_| too_long("", "too many words are removed".into()))?);
        Ok(())
    }

    /// The words of the removed columns, each once.
    fn words(&self, fields: &[&str]) -> Result<BTreeSet<String>, FieldError> {
        let mut words = BTreeSet::new();
        for (place, header) in &self.removed {
            let field = fields.get(*place).copied().unwrap_or_default();
            if field.len() > MAX_FIELD_BYTES {
                let reason = format!("{} bytes, at most {MAX_FIELD_BYTES} are taken", field.len());
                return Err(too_long(header, reason));
            }
            let whole = plain(field);
            let parts = whole.split_whitespace().map(str::to_owned);
            let joined: String = whole.split_whitespace().collect();
            words.extend(parts.chain([joined]).filter(|part| part.chars().count() >= SHORTEST));
        }
        Ok(words)
    }

    /// The text without what may name a person, full and half width made alike.
    pub(super) fn scrub(&mut self, text: &str) -> Result<String, Wrong> {
        let mut text = plain(text);
        if let Some(known) = &self.known {
            let (mut clean, mut times) = (String::with_capacity(text.len()), 0);
            // What is put in is not searched again: the mark may itself hold a removed word.
            known.replace_all_with(&text, &mut clean, |_, _, clean| {
                times += 1;
                clean.push_str(MARK);
                true
            });
            text = clean;
            self.count("removed_column", times);
        }
        for pattern in self.patterns.clone() {
            let (clean, times) = pattern.replace(&text);
            text = clean;
            self.count(pattern.name(), times);
        }
        if text.len() > MAX_SCRUBBED_BYTES {
            let reason = format!(
                "{} bytes once names are replaced, at most {MAX_SCRUBBED_BYTES} are taken",
                text.len()
            );
            return Err(("source.long_field", reason));
        }
        Ok(text)
    }

    fn count(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            *self.found.entry(what).or_default() += times;
        }
    }

    /// How often each pattern was found; never what was found.
    pub(super) fn found(&self) -> BTreeMap<String, u64> {
        self.found.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect()
    }
}

/// Full and half width made alike, without letters that show nothing and part words.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !is_unseen(*letter)).nfkc().collect()
}

fn too_long(header: &str, reason: String) -> FieldError {
    FieldError { code: "source.long_field", column: header.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(text: &str) -> (String, Vec<String>) {
        let mut scrubber = Scrubber::new(Vec::new(), false);
        let clean = scrubber.scrub(text).unwrap();
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
        let mut scrubber = Scrubber::new(vec![(0, "氏名".to_owned())], false);
        scrubber.next_row(&["内閣　花子", "x"]).unwrap();
        let clean = scrubber.scrub("内閣花子は来院。花子の母").unwrap();
        assert_eq!(clean, "〔氏名等〕は来院。〔氏名等〕の母");
        assert_eq!(scrubber.found()["removed_column"], 2);
        scrubber.next_row(&["厚労 太郎", "x"]).unwrap();
        let clean = scrubber.scrub("花子").unwrap();
        assert_eq!(clean, "花子", "another row's names are not looked for");
    }

    #[test]
    fn dp_4_days_are_removed_from_text_beside_moved_dates_and_from_no_other() {
        let text = "令和6年3月5日に転倒、03-1234-5678へ連絡。2024/3/9 退院";
        let mut scrubber = Scrubber::new(Vec::new(), true);
        let clean = scrubber.scrub(text).unwrap();
        assert_eq!(clean, "〔日付〕に転倒、〔電話番号〕へ連絡。〔日付〕 退院");
        assert_eq!(scrubber.found()["date"], 2);
        let (kept, _) = scrub(text);
        assert!(kept.contains("令和6年3月5日") && kept.contains("2024/3/9"), "{kept}");
    }

    #[test]
    fn dp_1_letters_that_show_nothing_hide_no_name() {
        let mut scrubber = Scrubber::new(vec![(0, "氏名".to_owned())], false);
        scrubber.next_row(&["\u{feff}内閣　花\u{200b}子"]).unwrap();
        let clean = scrubber.scrub("花\u{ad}子、090\u{200b}-1234-5678").unwrap();
        assert_eq!(clean, "〔氏名等〕、〔電話番号〕");
    }

    /// 170 times the two letters that the mark itself holds, against a text of nothing else.
    #[test]
    fn a_word_of_the_mark_is_replaced_once_however_often_it_stands_in_the_removed_column() {
        let mut scrubber = Scrubber::new(vec![(0, "氏名".to_owned())], false);
        let removed = "氏名 ".repeat(MAX_FIELD_BYTES / 7);
        let words = scrubber.words(&[&removed]).unwrap();
        assert_eq!(words.len(), 2, "the word and all of it joined");
        scrubber.next_row(&[&removed]).unwrap();
        assert_eq!(scrubber.scrub(&"氏名".repeat(100)).unwrap(), MARK.repeat(100));
        assert_eq!(scrubber.found()["removed_column"], 100);
    }

    #[test]
    fn a_row_that_would_hold_the_ingest_is_refused_where_it_is_too_long() {
        let mut scrubber = Scrubber::new(vec![(1, "氏名".to_owned())], false);
        let wrong = scrubber.next_row(&["x", &"氏名 ".repeat(1 << 17)]).unwrap_err();
        assert_eq!((wrong.code, wrong.column.as_str()), ("source.long_field", "氏名"));
        assert!(scrubber.known.is_none());
        // Two letters become a mark of 15 bytes.
        scrubber.next_row(&["x", "ab"]).unwrap();
        let (code, _) = scrubber.scrub(&"ab".repeat(MAX_FIELD_BYTES / 2)).unwrap_err();
        assert_eq!(code, "source.long_field");
        assert!(scrubber.scrub(&"ab".repeat(100)).unwrap().len() <= MAX_SCRUBBED_BYTES);
    }

    #[test]
    fn long_hostile_text_takes_no_time() {
        let hostile = "0-".repeat(100_000) + &"1".repeat(100_000);
        assert!(Scrubber::new(Vec::new(), false).scrub(&hostile).is_err());
    }
}
