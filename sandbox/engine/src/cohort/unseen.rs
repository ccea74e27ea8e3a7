//! Letters that a reader does not see: a text could hold a record in them, and be let go.

/// Ranges of letters that draw nothing of their own, or change how others stand: those that
/// Unicode 16 calls `Default_Ignorable_Code_Point` or `Bidi_Control`, separators of lines,
/// annotations, and the areas for private use.
const UNSEEN: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{fffff}'),
    ('\u{100000}', '\u{10ffff}'),
];

/// Whether a reader of a text does not see this letter. A line break is seen.
pub(super) fn unseen(letter: char) -> bool {
    let ignored = UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&letter));
    ignored || (letter.is_control() && letter != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_are_seen_and_joiners_and_marks_of_direction_are_not() {
        let text = "Médiane 12,5 kg/m² — 中央値は「12.5」です。\n± ≥ Ω é e\u{301} 👩";
        assert!(!text.chars().any(unseen), "{text}");
        for letter in ['\0', '\t', '\r', '\u{1b}', '\u{85}', '\u{200d}', '\u{202e}', '\u{e0041}'] {
            assert!(unseen(letter), "{letter:?}");
        }
    }
}
