use encoding_rs::{EUC_JP, Encoding, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// How the texts of a file are encoded, by its SpecificCharacterSet (PS3.3 C.12.1.1.2 and
/// PS3.5 annex H of the DICOM standard). Of other sets only what is ASCII is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Ascii,
    Whole(&'static Encoding),
    /// JIS X 0208 by escape sequences (ISO 2022 IR 87), with or without half-width katakana
    /// (ISO 2022 IR 13).
    Japanese {
        katakana: bool,
    },
}

impl Charset {
    pub(super) fn of(declared: &str) -> Self {
        const JAPANESE: [&str; 4] = ["", "ISO 2022 IR 6", "ISO 2022 IR 13", "ISO 2022 IR 87"];
        match declared.trim() {
            "" => Self::Ascii,
            "ISO_IR 100" => Self::Whole(WINDOWS_1252),
            "ISO_IR 13" => Self::Whole(SHIFT_JIS),
            "ISO_IR 192" => Self::Whole(UTF_8),
            sets if sets.split('\\').all(|set| JAPANESE.contains(&set.trim())) => {
                Self::Japanese { katakana: sets.contains("IR 13") }
            }
            _ => Self::Ascii,
        }
    }

    /// The text, or `None` when the bytes are not of the set.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        let whole = |encoding: &'static Encoding, bytes: &[u8]| {
            let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
            Some(text.into_owned())
        };
        match self {
            Self::Ascii => bytes.is_ascii().then(|| String::from_utf8(bytes.to_vec()).ok())?,
            Self::Whole(encoding) => whole(encoding, bytes),
            Self::Japanese { katakana } => whole(EUC_JP, &without_escapes(bytes, katakana)?),
        }
    }
}

/// The same text in EUC-JP, which needs no escape sequences.
fn without_escapes(bytes: &[u8], katakana: bool) -> Option<Vec<u8>> {
    let (mut text, mut rest, mut two_bytes) = (Vec::new(), bytes, false);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            0x1b => {
                let (set, after) = after.split_at_checked(2)?;
                two_bytes = match set {
                    b"$B" | b"$@" => true,
                    b"(B" | b"(J" => false,
                    b")I" => two_bytes,
                    _ => return None,
                };
                rest = after;
            }
            0x21..=0x7e if two_bytes => text.push(byte | 0x80),
            0x00..=0x7f => text.push(byte),
            0xa1..=0xdf if katakana => text.extend([0x8e, byte]),
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_names_are_read_however_they_are_encoded() {
        let (kanji, _, _) = encoding_rs::ISO_2022_JP.encode("Naikaku^Hanako=内閣^花子");
        let of = Charset::of;
        assert_eq!(of("\\ISO 2022 IR 87").decode(&kanji).unwrap(), "Naikaku^Hanako=内閣^花子");
        let (kana, _, _) = SHIFT_JIS.encode("ﾅｲｶｸ^ﾊﾅｺ=");
        let both = [&kana[..], b"\x1b$BFb3U\x1b(J^\x1b$B2V;R\x1b(J"].concat();
        let text = of("ISO 2022 IR 13\\ISO 2022 IR 87").decode(&both).unwrap();
        assert_eq!(text, "ﾅｲｶｸ^ﾊﾅｺ=内閣^花子");
        assert_eq!(of("ISO_IR 13").decode(&kana).unwrap(), "ﾅｲｶｸ^ﾊﾅｺ=");
        assert_eq!(of("ISO_IR 192").decode("内閣".as_bytes()).unwrap(), "内閣");
    }

    #[test]
    fn bytes_of_another_set_are_not_guessed() {
        for (declared, bytes) in [
            ("", &b"\xff"[..]),
            ("", b"\xc4"),
            ("ISO_IR 6", b"\xc4"),
            ("\\ISO 2022 IR 87", b"\xc4"),
            ("ISO_IR 192", b"\xc4"),
            ("ISO 2022 IR 87", b"\x1b$B2"),
            ("ISO 2022 IR 87", b"\x1b$)C"),
            ("\\ISO 2022 IR 149", b"\x1b$)C\xb3\xaa"),
        ] {
            assert_eq!(Charset::of(declared).decode(bytes), None, "{declared}");
        }
    }
}
