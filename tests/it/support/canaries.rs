//! Values that must not be found anywhere, in every form a careless program would leave
//! them in: as text, hexadecimal, Base64, and as little- and big-endian bytes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aho_corasick::AhoCorasick;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use walkdir::WalkDir;

/// Hits reported at most: one is one too many already.
const SHOWN: usize = 20;

/// Values to look for.
#[derive(Default)]
pub(crate) struct Canaries {
    patterns: Vec<Vec<u8>>,
    names: Vec<String>,
}

impl Canaries {
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text, text.as_bytes());
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.text(&value.to_string());
        self.bytes(&format!("{value} as bytes"), &value.to_le_bytes());
        self.bytes(&format!("{value} as network bytes"), &value.to_be_bytes());
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.text(&value.to_string());
        self.bytes(&format!("{value} as bytes"), &value.to_le_bytes());
        self.bytes(&format!("{value} as network bytes"), &value.to_be_bytes());
    }

    /// A value of at least eight bytes with all its encodings.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        assert!(bytes.len() >= 8, "{name} would be found by chance");
        self.add(name.to_owned(), bytes.to_vec());
        self.add(format!("{name} (hex)"), hex::encode(bytes).into_bytes());
        for offset in 0..3 {
            self.add(format!("{name} (base64)"), inside_base64(bytes, offset));
        }
    }

    /// Looks through one piece of memory.
    pub(crate) fn hits(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        hits(&self.automaton(), &self.names, place, bytes)
    }

    /// Looks through names and contents of every file below `folder`; also says how many
    /// files and bytes that were, so that a look at nothing shows.
    pub(crate) fn hits_below(&self, folder: &Path) -> Scan {
        let automaton = self.automaton();
        let mut scan = Scan::default();
        for entry in WalkDir::new(folder).follow_links(false) {
            // A temporary file may go while it is looked for.
            let Ok(entry) = entry else { continue };
            let place = entry.path().display().to_string();
            scan.hits.extend(hits(&automaton, &self.names, "a name", place.as_bytes()));
            if !entry.file_type().is_file() {
                continue;
            }
            let Ok(bytes) = fs::read(entry.path()) else { continue };
            scan.files.push(entry.path().to_owned());
            scan.bytes += bytes.len();
            scan.hits.extend(hits(&automaton, &self.names, &place, &bytes));
        }
        scan.hits.truncate(SHOWN);
        scan
    }

    fn add(&mut self, name: String, pattern: Vec<u8>) {
        self.names.push(name);
        self.patterns.push(pattern);
    }

    fn automaton(&self) -> AhoCorasick {
        AhoCorasick::new(&self.patterns).unwrap()
    }
}

/// What a look through a folder found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) hits: Vec<String>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) bytes: usize,
}

impl Scan {
    /// Whether a file whose path ends like this was looked through.
    pub(crate) fn covers(&self, end: &str) -> bool {
        self.files.iter().any(|file| file.to_string_lossy().ends_with(end))
    }
}

fn hits(automaton: &AhoCorasick, names: &[String], place: &str, bytes: &[u8]) -> Vec<String> {
    let found = automaton.find_iter(bytes).take(SHOWN);
    found.map(|hit| format!("{} in {place} at {}", names[hit.pattern()], hit.start())).collect()
}

/// What of `bytes` is certain to stand in the Base64 of something that holds them `offset`
/// bytes behind a multiple of three.
fn inside_base64(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(bytes);
    let whole = padded.len() / 3 * 3;
    let text = BASE64.encode(&padded[..whole]);
    let certain = if offset == 0 { 0 } else { 4 };
    text.as_bytes()[certain..].to_vec()
}

#[test]
fn every_form_of_a_value_is_found() {
    let mut canaries = Canaries::default();
    canaries.text("KANARIENVOGEL");
    canaries.int(0x1122_3344_5566_7788);
    canaries.float(61.218_734_512_9);
    let value = 0x1122_3344_5566_7788_i64;
    let mut forms = vec![
        b"..KANARIENVOGEL..".to_vec(),
        hex::encode("KANARIENVOGEL").into_bytes(),
        value.to_string().into_bytes(),
        value.to_le_bytes().to_vec(),
        value.to_be_bytes().to_vec(),
        b"61.2187345129".to_vec(),
        61.218_734_512_9_f64.to_le_bytes().to_vec(),
    ];
    for before in ["", "x", "xy", "xyz"] {
        forms.push(BASE64.encode(format!("{before}KANARIENVOGEL and more")).into_bytes());
        forms.push(BASE64.encode([before.as_bytes(), &value.to_le_bytes()[..]].concat()).into());
    }
    for form in forms {
        assert!(!canaries.hits("memory", &form).is_empty(), "{form:?}");
    }
    assert!(canaries.hits("memory", b"kanarienvogel, 61.21873451").is_empty());
}
