use super::*;

const SMALL: &str = r#"
id = "small"
title = { ja = "小", en = "Small" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"

[[tables]]
name = "visits"
description = { ja = "受診", en = "Visits" }
dummy_rows = [0, 3]
columns = [
  { name = "kind", kind = "code", description = { ja = "種別", en = "Kind" }, codes = { in = { ja = "入院", en = "in" }, out = { ja = "外来", en = "out" } } },
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "cost", kind = "float", unit = "JPY", nullable = true, description = { ja = "費用", en = "Cost" }, dummy = { per_code = "kind", cases = { in = { uniform = [1, 2], decimals = 1 } } } },
]
"#;

fn codes_of(toml: &str) -> Vec<(&'static str, usize)> {
    let errors = Profile::parse(toml).unwrap_err();
    errors.0.iter().map(|error| (error.code, error.line)).collect()
}

#[test]
fn a_good_profile_is_read() {
    let profile = Profile::parse(SMALL).unwrap();
    assert_eq!((profile.id.as_str(), profile.id_space.as_str()), ("small", "small"));
    assert_eq!(profile.missing, [""]);
    let table = profile.table("visits").unwrap();
    assert_eq!(table.dummy_rows, (0, 3));
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["patient", "kind", "cost"], "the patient column comes first");
    assert_eq!(table.column("kind").unwrap().codes["in"].en, "in");
    assert_eq!(table.column("cost").unwrap().unit.as_deref(), Some("JPY"));
}

#[test]
fn the_profiles_we_ship_are_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/profiles");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let toml = std::fs::read_to_string(&path).unwrap();
        let shown = path.display();
        let profile = Profile::parse(&toml).unwrap_or_else(|errors| panic!("{shown}: {errors}"));
        assert_eq!(Some(profile.id.as_str()), path.file_stem().and_then(|name| name.to_str()));
        let dummies = crate::dummy::generate(&profile, 20, 1).unwrap();
        assert_eq!(dummies.len(), profile.tables.len());
    }
}

#[test]
fn all_errors_are_reported_at_once_with_their_lines() {
    let toml = SMALL
        .replace("id = \"small\"", "id = \"Small one\"\ncolour = \"red\"")
        .replace("licence = \"CC0-1.0\"\n", "")
        .replace("dummy_rows = [0, 3]", "dummy_rows = [3, 0]")
        .replace("kind = \"patient\"", "kind = \"person\"")
        .replace("nullable = true", "nullable = 1");
    let found = codes_of(&toml);
    for wanted in [
        ("profile.bad_value", 2),
        ("profile.unknown_key", 3),
        ("profile.missing_key", 1),
        ("profile.bad_value", 11),
        ("profile.bad_value", 14),
        ("profile.wrong_type", 15),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
    }
}

#[test]
fn unknown_keys_are_refused_at_every_depth() {
    for (from, to) in [
        ("source = \"tests\"", "source = \"tests\"\nextra = 1"),
        ("dummy_rows = [0, 3]", "dummy_rows = [0, 3]\nextra = 1"),
        ("unit = \"JPY\"", "unit = \"JPY\", extra = 1"),
        ("decimals = 1", "decimals = 1, extra = 1"),
        ("per_code = \"kind\"", "per_code = \"kind\", extra = 1"),
        ("ja = \"入院\"", "ja = \"入院\", extra = 1"),
    ] {
        let codes: Vec<_> = codes_of(&SMALL.replace(from, to)).iter().map(|e| e.0).collect();
        assert_eq!(codes, ["profile.unknown_key"], "{to}");
    }
}

#[test]
fn meaningless_profiles_are_refused() {
    for (from, to) in [
        ("kind = \"patient\"", "kind = \"code\", codes = { a = { ja = \"a\", en = \"a\" } }"),
        ("name = \"cost\"", "name = \"kind\""),
        ("name = \"cost\"", "name = \"../cost\""),
        ("per_code = \"kind\"", "per_code = \"patient\""),
        ("nullable = true, ", ""),
        ("uniform = [1, 2]", "uniform = [2, 1]"),
        ("uniform = [1, 2]", "uniform = [1, inf]"),
        ("kind = \"patient\"", "kind = \"patient\", nullable = true"),
        ("kind = \"code\"", "kind = \"code\", source = \"@row\""),
        ("kind = \"code\"", "kind = \"code\", unit = \"m\""),
        ("kind = \"code\"", "kind = \"code\", dummy = { always = \"none\" }"),
    ] {
        assert_ne!(SMALL, SMALL.replace(from, to));
        assert!(Profile::parse(&SMALL.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn broken_toml_is_one_clear_error() {
    let found = codes_of("id = \"a\nname = ");
    assert!(found.iter().all(|(code, _)| *code == "profile.syntax") && !found.is_empty());
}

#[test]
fn dates_are_strict() {
    assert_eq!(date_days("1970-01-02"), Some(1));
    assert_eq!(date_days("2024-02-29"), Some(19_782));
    for bad in
        ["2023-02-29", "2024-1-01", "24-01-01", "2024/01/01", "2024-01-01T00:00", "1500-01-01", ""]
    {
        assert_eq!(date_days(bad), None, "{bad}");
    }
}
