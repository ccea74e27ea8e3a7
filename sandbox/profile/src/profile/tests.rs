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
        ("unit = \"JPY\"", "unit = \"JPY\", unit_in = \"kind\""),
        ("unit = \"JPY\"", "unit_in = \"patient\""),
        ("kind = \"patient\"", "kind = \"patient\", systems = [\"a\"]"),
        ("kind = \"patient\"", "kind = \"patient\", quasi_identifier = true"),
        ("kind = \"code\"", "kind = \"code\", dummy = { always = \"none\" }"),
    ] {
        assert_ne!(SMALL, SMALL.replace(from, to));
        assert!(Profile::parse(&SMALL.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn ct_2_a_minimum_cell_is_a_whole_number_of_ten_or_more() {
    let with = |number: &str| {
        SMALL.replace(
            "licence = \"CC0-1.0\"",
            &format!("licence = \"CC0-1.0\"\nmin_cell = {number}"),
        )
    };
    for bad in ["0", "9", "-10", "10.5", "1000001", "1e300"] {
        assert_eq!(codes_of(&with(bad)), [("profile.bad_value", 7)], "{bad}");
    }
    for (good, read) in [("10", 10), ("11.0", 11), ("1000000", 1_000_000)] {
        assert_eq!(Profile::parse(&with(good)).unwrap().min_cell, read);
    }
    assert_eq!(Profile::parse(SMALL).unwrap().min_cell, 10);
}

const ORDERED: &str = r#"
id = "ordered"
title = { ja = "順", en = "Ordered" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"

[[tables]]
name = "stays"
description = { ja = "入院", en = "Stays" }
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "item", kind = "code", description = { ja = "項目", en = "Item" }, codes = { K = { ja = "K", en = "K" }, N = { ja = "N", en = "N" } } },
  { name = "value", kind = "float", nullable = true, description = { ja = "値", en = "Value" }, items = { of = "item", missing = 0.1, by_code = { K = { unit = "mmol/L", range = [1, 12], normal = [4, 20], decimals = 1 } } } },
  { name = "from", kind = "date", rule = { date_to = "month" }, description = { ja = "開始", en = "From" }, dummy = { dates = ["2020-01-01", "2020-12-31"] } },
  { name = "until", kind = "date", rule = { date_to = "month" }, not_before = "from", range = ["2019-01-01", "2021-12-31"], description = { ja = "終了", en = "Until" }, dummy = { days_after = "from", skewed = [9, 2], max = 90 } },
]
"#;

#[test]
fn items_orders_and_skew_are_read() {
    let profile = Profile::parse(ORDERED).unwrap();
    let table = profile.table("stays").unwrap();
    assert_eq!(table.column("until").unwrap().not_before.as_deref(), Some("from"));
    let value = table.column("value").unwrap();
    let item = &value.items.as_ref().unwrap().by_code["K"];
    assert_eq!((item.unit.as_str(), item.range), ("mmol/L", Some((1.0, 12.0))));
    let Some(DummySpec { draw: Draw::PerCode { cases, .. }, missing: 0.1 }) = &value.dummy else {
        panic!("{:?}", value.dummy)
    };
    // Held to the item's range.
    assert!(matches!(cases["K"], Draw::Normal { low: 1.0, high: 12.0, .. }));
}

#[test]
fn what_columns_cannot_be_to_one_another_is_refused() {
    for (from, to) in [
        ("not_before = \"from\"", "not_before = \"later\""),
        ("not_before = \"from\"", "not_before = \"item\""),
        ("rule = { date_to = \"month\" }, not_before", "not_before"),
        ("days_after = \"from\"", "days_after = \"item\""),
        ("\"from\", kind = \"date\"", "\"from\", kind = \"date\", nullable = true"),
        ("skewed = [9, 2]", "skewed = [0, 2]"),
        ("skewed = [9, 2]", "skewed = [9, 0.5]"),
        ("max = 90", "max = 90, min = 91"),
        ("skewed = [9, 2]", "skewed = [9, 2], uniform = [1, 2]"),
        ("of = \"item\"", "of = \"value\""),
        ("nullable = true, description", "nullable = true, unit_in = \"item\", description"),
        ("by_code = { K", "by_code = { X"),
        ("\"float\", nullable = true", "\"float\""),
        ("normal = [4, 20]", "uniform = [20, 30]"),
        ("description = { ja = \"値\"", "not_before = \"from\", description = { ja = \"値\""),
        (
            "{ ja = \"入院\", en = \"Stays\" }",
            "{ ja = \"入院\", en = \"Stays\" }\none_row_a_person = true\ndummy_rows = [0, 2]",
        ),
    ] {
        let changed = ORDERED.replacen(from, to, 1);
        assert_ne!(ORDERED, changed);
        assert!(Profile::parse(&changed).is_err(), "{to}");
    }
}

/// A profile of two tables with one date column each, whose rules these are.
fn dated(first: &str, second: &str) -> Result<Profile, ProfileErrors> {
    let table = |name: &str, source: &str, rule: &str| {
        format!(
            "[[tables]]\nname = \"{name}\"\ndescription = {{ ja = \"表\", en = \"Table\" }}\ncolumns = [\n\
             {{ name = \"patient\", kind = \"patient\", description = {{ ja = \"患者\", en = \"Patient\" }} }},\n\
             {{ name = \"{name}_day\", kind = \"date\", source = \"{source}\", {rule} description = {{ ja = \"日\", en = \"Day\" }}, dummy = {{ dates = [\"2020-01-01\", \"2020-12-31\"] }} }},\n]\n"
        )
    };
    let (head, _) = SMALL.split_once("[[tables]]").unwrap();
    Profile::parse(
        &[head, &table("stays", "入院日", first), &table("labs", "検査日", second)].concat(),
    )
}

#[test]
fn dp_4_full_dates_are_all_moved_by_one_secret_or_none_is() {
    let shift = "rule = { shift_days = 30 },";
    for good in [["", ""], [shift, shift], [shift, "rule = { date_to = \"month\" },"]] {
        assert!(dated(good[0], good[1]).is_ok(), "{good:?}");
    }
    for (bad, line) in
        [([shift, ""], 20), (["", shift], 13), ([shift, "rule = { shift_days = 7 },"], 20)]
    {
        let errors = dated(bad[0], bad[1]).unwrap_err().0;
        let found: Vec<_> = errors.iter().map(|error| (error.code, error.line)).collect();
        assert_eq!(found, [("profile.mixed_dates", line)], "{bad:?}");
    }
}

#[test]
fn dp_4_no_second_rule_tells_where_a_moved_date_was() {
    let twice = dated("rule = { shift_days = 30 },", "rule = { date_to = \"month\" },").unwrap();
    let (before, after) = twice.toml().split_once("[[tables]]\nname = \"labs\"").unwrap();
    let column = after.lines().find(|line| line.contains("labs_day")).unwrap();
    let column = column.replace("検査日", "入院日");
    let stays = before.rsplit_once("]").unwrap().0;
    let errors = Profile::parse(&format!("{stays}{column}\n]\n")).unwrap_err().0;
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["profile.mixed_dates"]);
}

#[test]
fn dp_4_a_join_that_would_tell_the_shift_is_known() {
    let shift = "rule = { shift_days = 30 },";
    let profile = |first, second| dated(first, second).unwrap();
    let (moved, kept) = (profile(shift, shift), profile("", ""));
    let week = profile("rule = { shift_days = 7 },", "rule = { shift_days = 7 },");
    let month = profile("rule = { date_to = \"month\" },", "rule = { date_to = \"month\" },");
    let year = profile("rule = { date_to = \"year\" },", "rule = { date_to = \"year\" },");
    let with_text = |profile: &Profile| {
        let (before, after) = profile.toml().rsplit_once("\n]").unwrap();
        let text = r#"  { name = "note", kind = "code", rule = { free_text = true }, description = { ja = "記録", en = "Note" }, dummy = { always = "x" } },"#;
        Profile::parse(&format!("{before}\n{text}\n]{after}")).unwrap()
    };
    let (noted, moved_and_noted) = (with_text(&year), with_text(&moved));
    for (one, other, undoes) in [
        (&moved, &year, false),
        (&moved, &noted, true),
        // Free text beside moved dates keeps no days.
        (&moved, &moved_and_noted, false),
        (&moved, &kept, true),
        (&moved, &week, true),
        (&moved, &moved, false),
        (&moved, &month, true),
        (&kept, &month, false),
    ] {
        assert_eq!((one.undoes_shift_of(other), other.undoes_shift_of(one)), (undoes, undoes));
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
