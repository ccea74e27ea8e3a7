/// Whether a letter shows nothing by itself: format characters (general category Cf of
/// Unicode 16, such as a byte-order mark or a zero-width space) and the selectors of another
/// drawing of the letter before them. Two texts that differ in these alone look the same.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn every_format_character_is_unseen_and_what_shows_is_not() {
        let format = Regex::new(r"^\p{Cf}$").unwrap();
        let showing = Regex::new(r"^[\p{L}\p{N}\p{P}\p{S}\p{Z}]$").unwrap();
        for letter in '\0'..=char::MAX {
            let text = letter.to_string();
            assert!(!format.is_match(&text) || is_unseen(letter), "{}", letter.escape_unicode());
            assert!(!showing.is_match(&text) || !is_unseen(letter), "{}", letter.escape_unicode());
        }
        assert!(is_unseen('\u{e0100}'), "the other drawing of a name's letter");
    }
}
