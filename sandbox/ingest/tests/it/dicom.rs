//! Headers of DICOM images as a source (DP-6).

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use sekisho_dataset::{FileCheck, Grant, read_table};
use serde_json::Value;

use crate::dicom_file::{
    EXPLICIT, Elements, Form, IMPLICIT, ITEM, ITEM_END, SEQUENCE_END, UNDEFINED,
};
use crate::site::{REPOSITORY, Site, all_files, holds, json};

/// What identifies a person or a record, planted all over a file.
const PLANTED: [&str; 14] = [
    "NAIKAKU",
    "HANAKO",
    "PID-0001",
    "ACC-4711",
    "STUDYNOTE",
    "SERIESNOTE",
    "IMAGENOTE",
    "PATIENTNOTE",
    "OTHERID-77",
    "REQUESTED-BY",
    "PRIVATE-9",
    "1.2.392.77",
    "DEEPNAME",
    "PIXELTEXT",
];

pub(crate) struct Image<'a> {
    form: Form,
    patient: &'a str,
    charset: &'a str,
    name: &'a [u8],
    burned_in: Option<&'a str>,
    modality: &'a str,
    description: &'a [u8],
}

pub(crate) const IMAGE: Image<'static> = Image {
    form: Form::Explicit,
    patient: "PID-0001",
    charset: "",
    name: b"NAIKAKU^HANAKO",
    burned_in: Some("NO"),
    modality: "CT",
    description: b"STUDYNOTE of NAIKAKU",
};

impl Image<'_> {
    /// Up to the pixels, which are left to the caller.
    fn elements(&self) -> Elements {
        let form = self.form;
        let nested = |text: &str| {
            let name = Elements::new(form).put(0x0010_0010, "PN", text);
            let deep = Elements::new(form).nest(0x0040_0275, true, name.clone());
            name.nest(0x0040_0275, true, deep)
        };
        let mut elements = Elements::new(form)
            .put(0x0008_0005, "CS", self.charset)
            .put(0x0008_0018, "UI", "1.2.392.77.3")
            .put(0x0008_0020, "DA", "20240401")
            .put(0x0008_0050, "SH", "ACC-4711")
            .put(0x0008_0060, "CS", self.modality)
            .put(0x0008_0070, "LO", "PRIVATE-9 NAIKAKU")
            .put(0x0008_1030, "LO", self.description)
            .put(0x0008_103E, "LO", "SERIESNOTE")
            .nest(0x0008_1140, false, nested("DEEPNAME^DEFINED"))
            .put(0x0009_0010, "LO", "PRIVATE-9")
            .put(0x0009_1001, "UN", "PRIVATE-9 NAIKAKU^HANAKO");
        if form == Form::Explicit {
            // Of a value representation nobody knows, written as items without any.
            let inside = Elements::new(Form::Implicit).put(0x0010_0010, "PN", "DEEPNAME^UNKNOWN");
            elements = elements.head(0x0009_1002, "UN", UNDEFINED).mark(ITEM, UNDEFINED);
            elements.bytes.extend(inside.bytes);
            elements = elements.mark(ITEM_END, 0).mark(SEQUENCE_END, 0);
        }
        elements = elements
            .put(0x0010_0010, "PN", self.name)
            .put(0x0010_0020, "LO", self.patient)
            .put(0x0010_0030, "DA", "19800226")
            .put(0x0010_0040, "CS", "F")
            .put(0x0010_1000, "LO", "OTHERID-77")
            .nest(0x0010_1002, true, nested("OTHERID-77"))
            .put(0x0010_4000, "LT", "PATIENTNOTE HANAKO")
            .put(0x0018_0015, "CS", "NAIKAKU")
            .put(0x0018_0050, "DS", "1.25 ")
            .put(0x0018_0060, "DS", "120")
            .put(0x0020_000D, "UI", "1.2.392.77.1")
            .put(0x0020_000E, "UI", "1.2.392.77.2")
            .put(0x0020_4000, "LT", "IMAGENOTE")
            .put(0x0028_0010, "US", 512_u16.to_le_bytes())
            .put(0x0028_0011, "US", 256_u16.to_le_bytes());
        if let Some(burned_in) = self.burned_in {
            elements = elements.put(0x0028_0301, "CS", burned_in);
        }
        elements.nest(0x0040_0275, true, nested("REQUESTED-BY"))
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        let syntax = if self.form == Form::Explicit { EXPLICIT } else { IMPLICIT };
        self.elements().put(0x7FE0_0010, "OW", "PIXELTEXT HANAKO").file(syntax)
    }
}

/// A site with a folder of images.
pub(crate) struct Archive(pub(crate) Site);

impl Archive {
    pub(crate) fn of(files: &[(&str, Vec<u8>)]) -> Self {
        let archive = Self(Site::new());
        for (name, content) in files {
            let path = archive.0.at("images").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        archive
    }

    fn seal_as(&self, profile: &str, extra: &[&str]) -> Output {
        let table = format!("images={}", self.0.at("images").display());
        let args = ["dicom", "--profile", profile, "--table", &table];
        self.0.take(&[&args, extra].concat())
    }

    pub(crate) fn seal(&self, extra: &[&str]) -> Output {
        self.seal_as(&format!("{REPOSITORY}/policies/profiles/imaging.toml"), extra)
    }

    /// Seals under the shipped profile with something changed in it.
    fn seal_changed(&self, changes: &[(&str, &str)]) -> Output {
        let file = format!("{REPOSITORY}/policies/profiles/imaging.toml");
        let mut profile = fs::read_to_string(file).unwrap();
        for (from, to) in changes {
            assert!(profile.contains(from), "{from}");
            profile = profile.replacen(from, to, 1);
        }
        fs::write(self.0.at("imaging.toml"), profile).unwrap();
        self.seal_as(self.0.at("imaging.toml").to_str().unwrap(), &[])
    }

    /// Everything of the first version, decrypted, as text.
    fn decrypted(&self) -> String {
        let version = self.0.version("imaging/v1");
        let columns: Vec<_> =
            version.manifest().tables[0].columns.iter().map(|column| column.name.clone()).collect();
        let names: Vec<_> = columns.iter().map(String::as_str).collect();
        let grant = Grant::of(&[("images", &names)]);
        let keys = version.unwrap_granted(&self.0.worker(), &grant).unwrap();
        let table = version.open_table(&keys, "images", FileCheck::Sha256).unwrap();
        let rows = read_table(&table, &names).unwrap();
        let codes: Vec<_> = names.iter().map(|name| (name, table.dictionary(name))).collect();
        format!("{rows:?} {codes:?}")
    }

    /// Path and code of each rejected file.
    fn rejected(&self, summary: &Value) -> Vec<(String, String)> {
        let shown =
            json(&self.0.run(&["rejects", summary["rejects"].as_str().unwrap()], &["--zone"]));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = shown.as_array().unwrap().iter();
        rows.map(|row| (text(&row["fields"][0]), text(&row["errors"][0][0]))).collect()
    }
}

/// The column of the profile that the tests put others in the place of.
const MAKER: &str =
    r#"source = "Manufacturer", nullable = true, rule = { rare_below = 10, other = "その他" }"#;

fn refusal(done: &Output) -> (String, String) {
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let error: Value = serde_json::from_slice(&done.stderr).unwrap();
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (of(&error["error"]["code"]), of(&error["error"]["message"]))
}

#[test]
fn dp_6_what_identifies_in_an_image_is_sealed_nowhere() {
    let implicit = Image { form: Form::Implicit, ..IMAGE };
    let archive =
        Archive::of(&[("NAIKAKU/1.dcm", IMAGE.file()), ("NAIKAKU/2.dcm", implicit.file())]);
    let done = archive.seal(&[]);
    let summary = json(&done);
    assert_eq!((&summary["patients"], &summary["rows"]["images"]), (&1.into(), &2.into()));
    let sealed = archive.decrypted();
    for kept in ["CT", "OTHER", "その他", "1980", "1.25", "512", "256", "2024-04-01"] {
        assert!(sealed.contains(kept), "{kept}: {sealed}");
    }
    let sealed = sealed.into_bytes();
    let mut written = vec![("what was decrypted".to_owned(), sealed)];
    written.push(("what was printed".to_owned(), done.stdout));
    for folder in ["datasets", "identified"] {
        for file in all_files(&archive.0.at(folder)) {
            written.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }
    assert!(written.len() > 8, "{}", written.len());
    for (place, bytes) in written {
        for planted in PLANTED {
            assert!(!holds(&bytes, planted.as_bytes()), "{planted} in {place}");
        }
    }
}

#[test]
fn dp_6_an_image_that_may_hold_text_is_rejected() {
    let image = |burned_in| Image { burned_in, ..IMAGE }.file();
    let archive = Archive::of(&[
        ("absent.dcm", image(None)),
        ("empty.dcm", image(Some(""))),
        ("free.dcm", image(Some("NO"))),
        ("lower.dcm", image(Some("no"))),
        ("text.dcm", image(Some("YES"))),
    ]);
    assert_eq!(refusal(&archive.seal(&[])).0, "source.burned_in_text");
    let summary = json(&archive.seal(&["--max-rejected", "0.8"]));
    let totals = &summary["totals"]["images"];
    assert_eq!((&totals["sealed"], &totals["rejected"]), (&1.into(), &4.into()));
    let wanted = ["absent.dcm", "empty.dcm", "lower.dcm", "text.dcm"];
    let wanted = wanted.map(|name| (name.to_owned(), "source.burned_in_text".to_owned()));
    assert_eq!(archive.rejected(&summary), wanted);
}

#[test]
fn dp_6_no_profile_lets_names_or_open_words_of_an_image_pass() {
    let archive = Archive::of(&[("1.dcm", IMAGE.file())]);
    for (from, to) in [
        (MAKER, r#"source = "Manufacturer", nullable = true"#),
        (MAKER, r#"source = "StudyDescription", nullable = true"#),
        (MAKER, r#"source = "PatientName", nullable = true, rule = { free_text = true }"#),
        (MAKER, r#"source = "SliceThickness", nullable = true"#),
        (r#"rule = { token = "dicom_study" }"#, r#"rule = { rare_below = 2, other = "x" }"#),
    ] {
        let (code, message) = refusal(&archive.seal_changed(&[(from, to)]));
        assert_eq!(code, "ingest.tables", "{to}: {message}");
    }
    // Comments, and whatever else is not on the list, cannot be read at all.
    for unlisted in ["PatientComments", "ImageComments", "OtherPatientIDs", "00091001"] {
        let to =
            format!(r#"source = "{unlisted}", nullable = true, rule = {{ free_text = true }}"#);
        assert_eq!(refusal(&archive.seal_changed(&[(MAKER, &to)])).0, "source.missing_column");
    }
}

#[test]
fn dp_6_a_japanese_name_of_an_image_is_removed_from_its_free_text() {
    let encoded = |text: &str| encoding_rs::ISO_2022_JP.encode(text).0.into_owned();
    let name = encoded("NAIKAKU^HANAKO=内閣^花子=ないかく^はなこ");
    let description = encoded("内閣花子 胸部、電話03-1234-5678");
    let image =
        Image { charset: "\\ISO 2022 IR 87", name: &name, description: &description, ..IMAGE };
    let archive = Archive::of(&[("1.dcm", image.file())]);
    let description =
        r#"source = "StudyDescription", nullable = true, rule = { free_text = true }"#;
    json(&archive.seal_changed(&[
        (MAKER, description),
        (r#"{ source = "StudyDescription", because"#, r#"{ source = "ProtocolName", because"#),
    ]));
    let sealed = archive.decrypted();
    assert!(sealed.contains("〔氏名等〕〔氏名等〕 胸部、電話〔電話番号〕"), "{sealed}");
    assert!(!sealed.contains("内閣") && !sealed.contains("花子"));
}

#[test]
fn hostile_files_are_rejected_one_by_one() {
    let good = IMAGE.file();
    let within = good.windows(8).position(|part| part == b"20240401").unwrap() + 3;
    let start = || Elements::new(Form::Explicit).put(0x0008_0005, "CS", "");
    let deep = |levels: usize| {
        let mut nested = start().head(0x0008_1140, "SQ", UNDEFINED);
        for _ in 0..levels {
            nested = nested.mark(ITEM, UNDEFINED).head(0x0008_1140, "SQ", UNDEFINED);
        }
        nested.file(EXPLICIT)
    };
    let delimiters =
        start().head(0x0008_1140, "SQ", UNDEFINED).mark(ITEM_END, 0).mark(ITEM, 0).file(EXPLICIT);
    let padded = start().put(0x0009_1001, "OB", vec![0; 2 << 20]).file(EXPLICIT);
    let text = |vr: &str, value: &[u8]| start().put(0x0008_0060, vr, value).file(EXPLICIT);
    let bare = IMAGE.elements();
    let mut odd = start().head(0x0028_0010, "US", 1);
    odd.bytes.push(1);
    let odd = odd.file(EXPLICIT);
    let files: Vec<(&str, Vec<u8>, &str)> = vec![
        ("00_empty", Vec::new(), "source.not_dicom"),
        ("01_text", b"patient,name\n".repeat(40), "source.not_dicom"),
        ("02_short", good[..140].to_vec(), "source.cut_file"),
        ("03_cut", good[..within].to_vec(), "source.cut_file"),
        (
            "04_length",
            start().head(0x0009_1001, "OB", 0xFFFF_FFFE).file(EXPLICIT),
            "source.long_header",
        ),
        ("05_value", start().head(0x0008_0060, "CS", 0xFFFF).file(EXPLICIT), "source.long_field"),
        ("06_padded", padded, "source.long_header"),
        ("07_deep", deep(50_000), "source.deep_nesting"),
        ("08_delimiters", delimiters, "source.bad_dicom"),
        ("09_no_vr", start().put(0x0008_0016, "??", "x").file(EXPLICIT), "source.bad_dicom"),
        ("10_twice", start().put(0x0008_0005, "CS", "").file(EXPLICIT), "source.bad_dicom"),
        (
            "11_endless",
            start().head(0x0008_0016, "UT", UNDEFINED).file(EXPLICIT),
            "source.bad_dicom",
        ),
        ("12_vr", text("LO", b"CT"), "source.bad_type"),
        ("13_set", text("CS", b"\x8d\xe0"), "source.bad_encoding"),
        ("14_big_endian", bare.clone().file("1.2.840.10008.1.2.2"), "source.transfer_syntax"),
        ("15_unknown", bare.clone().file("1.2.3"), "source.transfer_syntax"),
        ("16_deflated", bare.clone().file("1.2.840.10008.1.2.1.99"), "source.deflated"),
        ("17_nobody", Image { patient: " ", ..IMAGE }.file(), "source.missing_value"),
        ("18_number", odd, "source.bad_number"),
    ];
    let mut all: Vec<_> = files.iter().map(|(name, file, _)| (*name, file.clone())).collect();
    // Compressed pictures have plain headers.
    all.push(("19_jpeg", bare.file("1.2.840.10008.1.2.4.70")));
    all.push(("20_good", good));
    let archive = Archive::of(&all);
    symlink(archive.0.at("identified"), archive.0.at("images/21_link")).unwrap();
    let summary = json(&archive.seal(&["--max-rejected", "0.95"]));
    let totals = &summary["totals"]["images"];
    let of = |what: &str| totals[what].as_u64().unwrap();
    assert_eq!((of("read"), of("sealed"), of("rejected")), (22, 2, 20));
    let mut wanted: Vec<_> =
        files.iter().map(|(name, _, code)| ((*name).to_owned(), (*code).to_owned())).collect();
    wanted.push(("21_link".to_owned(), "source.no_file".to_owned()));
    assert_eq!(archive.rejected(&summary), wanted);
}

#[test]
fn a_file_cut_or_changed_anywhere_is_sealed_or_rejected_and_never_lost() {
    let good = IMAGE.file();
    let header = good.len() - 16;
    let mut files = Vec::new();
    for at in 128..header {
        files.push((format!("cut-{at}"), good[..at].to_vec()));
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        files.push((format!("changed-{at}"), changed));
    }
    let files: Vec<_> = files.iter().map(|(name, file)| (name.as_str(), file.clone())).collect();
    let archive = Archive::of(&files);
    let summary = json(&archive.seal(&["--max-rejected", "1"]));
    let totals = &summary["totals"]["images"];
    let of = |what: &str| totals[what].as_u64().unwrap();
    assert_eq!(of("read"), files.len() as u64);
    assert_eq!(of("read"), of("sealed") + of("rejected"));
    assert!(of("sealed") > 100 && of("rejected") > 100, "{totals}");
}

#[test]
fn the_pixels_of_an_image_do_not_matter() {
    let header = IMAGE.elements();
    let endless = header.clone().head(0x7FE0_0010, "OW", UNDEFINED).file(EXPLICIT);
    let large = header.put(0x7FE0_0010, "OW", vec![7; 3 << 20]).file(EXPLICIT);
    let archive = Archive::of(&[("1", endless), ("2", large)]);
    assert_eq!(json(&archive.seal(&[]))["rows"]["images"], 2);
    let empty = Archive(Site::new());
    fs::create_dir(empty.0.at("images")).unwrap();
    assert_eq!(refusal(&empty.seal(&[])).0, "dataset.empty");
}
