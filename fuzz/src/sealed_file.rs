//! A sealed table's file, above all its footer: whoever can write to the disk can change it.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use arrow::array::RecordBatch;
use sekisho_dataset::{
    FileCheck, Grant, OpenFile, Profile, Provenance, SealOptions, SealedVersion, SealedWriter,
    dummy,
};
use sekisho_vault::{MemoryVault, SigningIdentity};

const PROFILE: &str = r#"
id = "trial"
title = { ja = "試験", en = "Trial" }
description = { ja = "試験", en = "Trial" }
source = "tests"
licence = "CC0-1.0"

[[tables]]
name = "people"
description = { ja = "人", en = "People" }
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "age", kind = "int", unit = "year", description = { ja = "年齢", en = "Age" }, dummy = { uniform = [20, 80] } },
  { name = "weight", kind = "float", unit = "kg", nullable = true, description = { ja = "体重", en = "Weight" }, dummy = { normal = [60, 10], min = 30, max = 120 } },
]
"#;
const COLUMNS: [&str; 3] = ["patient", "age", "weight"];

/// A sealed file, what opens it, and what is in it. Its keys are drawn anew in every process,
/// so that its bytes differ: inputs say what is changed, not what it becomes.
struct Sealed {
    file: OpenFile,
    bytes: Vec<u8>,
    rows: Vec<RecordBatch>,
    changed: PathBuf,
    _root: tempfile::TempDir,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    let profile = Profile::parse(PROFILE).unwrap();
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    let mut writer = SealedWriter::create(root.path(), &profile, &SealOptions::default()).unwrap();
    for drawn in dummy::generate(&profile, 200, 7).unwrap() {
        writer.push(&drawn.name, &drawn.rows).unwrap();
    }
    let sealed = writer.finish(Provenance::default(), &vault, &identity, &mut |_, _| {}).unwrap();
    let version = SealedVersion::open(&sealed.folder, &identity.verifying()).unwrap();
    let keys = version.unwrap_granted(&vault, &Grant::of(&[("people", &COLUMNS[1..])])).unwrap();
    let table = version.open_table(&keys, "people", FileCheck::Size).unwrap();
    let file = table.files()[0].clone();
    let bytes = fs::read(&file.path).unwrap();
    let rows = read(&file).unwrap();
    let changed = root.path().join("changed");
    Sealed { bytes, rows, file, changed, _root: root }
});

fn read(file: &OpenFile) -> Option<Vec<RecordBatch>> {
    let batches = file.batches(&COLUMNS, 1024).ok()?;
    batches.collect::<Result<_, _>>().ok()
}

/// Whatever is done to a file, nothing else than its own rows comes out of it. The first byte
/// says what is done: other bytes in its place, changes of single bytes counted from its end, a
/// cut with other bytes after it.
pub fn run(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let sealed = &*SEALED;
    let bytes = match how % 3 {
        0 => rest.to_vec(),
        1 => {
            let mut bytes = sealed.bytes.clone();
            for change in rest.chunks_exact(3) {
                let back = usize::from(u16::from_le_bytes([change[0], change[1]]));
                let at = bytes.len() - 1 - back % bytes.len();
                bytes[at] ^= change[2];
            }
            bytes
        }
        _ => {
            let at = rest.first_chunk::<2>().map_or(0, |at| usize::from(u16::from_le_bytes(*at)));
            let kept = sealed.bytes.len().saturating_sub(at);
            [&sealed.bytes[..kept], rest.get(2..).unwrap_or_default()].concat()
        }
    };
    fs::write(&sealed.changed, bytes).unwrap();
    let file = OpenFile { path: sealed.changed.clone(), ..sealed.file.clone() };
    if let Some(rows) = read(&file) {
        assert_eq!(rows, sealed.rows, "a changed file is read as another");
    }
}

/// The file as it is, with changes at its end, cut, and a file in the clear in its place.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let patch = |changes: &[(u16, u8)]| {
        let bytes = changes.iter().flat_map(|(back, xor)| {
            let [low, high] = back.to_le_bytes();
            [low, high, *xor]
        });
        std::iter::once(1).chain(bytes).collect::<Vec<u8>>()
    };
    vec![
        patch(&[]),
        patch(&[(0, 4)]),
        patch(&[(4, 1), (5, 1), (6, 0x80), (7, 0x80)]),
        patch(&[(8, 1)]),
        patch(&[(40, 1)]),
        patch(&[(300, 1), (301, 2)]),
        vec![2, 8, 0, 255, 255, 255, 255, b'P', b'A', b'R', b'E'],
        vec![2, 8, 0, 16, 0, 0, 0, b'P', b'A', b'R', b'1'],
        [&[0][..], b"PAR1", &[0x15, 2, 0x19, 0x0c, 0], &[5, 0, 0, 0], b"PAR1"].concat(),
    ]
}
