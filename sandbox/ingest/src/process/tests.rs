//! The worked examples of the source documents, and what the rules promise.

use sekisho_vault::Key;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/profiles");

const HEADERS: [&str; 9] =
    ["氏名", "性別", "生年月日", "受診日", "体重", "収縮期血圧", "HbA1c", "インスリン濃度", "病名"];
/// 003 "仮名加工医療情報のイメージ" and 002 page 19, the original records.
const HANAKO_N: [&str; 9] =
    ["内閣花子", "女", "2003/2/26", "2020/8/3", "53.4", "211", "", "", "膵島細胞症（希少疾患）"];
const HANAKO_K: [&str; 9] = [
    "厚労花子",
    "女",
    "2003/7/26",
    "2020/8/3",
    "53.4",
    "211",
    "4.8",
    "20.9",
    "膵島細胞症（希少疾患）",
];

fn shipped(name: &str) -> Profile {
    let toml = std::fs::read_to_string(format!("{FOLDER}/{name}.toml")).unwrap();
    Profile::parse(&toml).unwrap_or_else(|errors| panic!("{errors}"))
}

fn tokens(seed: u8, profile: &Profile) -> PatientTokens {
    PatientTokens::new(Key::danger_from_bytes(&[seed; 32]).unwrap(), &profile.id_space)
}

/// Processes one record and shows its values, without the token.
fn processed(profile: &Profile, seed: u8, record: &[&str]) -> Vec<String> {
    let table = &profile.tables[0];
    let headers = HEADERS.map(str::to_owned);
    let mut processor = RowProcessor::new(profile, table, &headers, Frequent::default()).unwrap();
    let (mut batch, mut errors) = (BatchBuilder::new(table), Vec::new());
    let mut tokens = tokens(seed, profile);
    let outcome = processor.row(record, 1, &mut tokens, &mut batch, &mut errors).unwrap();
    assert_eq!((outcome, errors), (Outcome::Kept, Vec::new()));
    let shown = processor.values.iter().zip(&table.columns).skip(1).map(|(value, _)| match value {
        Value::Code(code) => code.clone().unwrap_or_default(),
        Value::Int(number) => number.map(|n| n.to_string()).unwrap_or_default(),
        Value::Float(number) => number.map(|n| n.to_string()).unwrap_or_default(),
        Value::Date(Some(days)) => {
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(*days);
            format!("{}/{}/{}", date.year(), date.month(), date.day())
        }
        other => format!("{other:?}"),
    });
    shown.collect()
}

#[test]
fn dp_1_the_worked_examples_pseudonymised() {
    let profile = shipped("example_pseudonymised");
    assert_eq!(
        processed(&profile, 1, &HANAKO_N),
        ["女", "2003/2/26", "2020/8/3", "53.4", "211", "", "", "膵島細胞症（希少疾患）"]
    );
    assert_eq!(
        processed(&profile, 1, &HANAKO_K),
        ["女", "2003/7/26", "2020/8/3", "53.4", "211", "4.8", "20.9", "膵島細胞症（希少疾患）"]
    );
}

/// The example moves the visit from 2020/8/3 to 2020/7/29. By how much dates move is a
/// secret of the person, so a zone is looked for whose secret moves hers by those five days.
#[test]
fn dp_1_the_worked_examples_anonymised() {
    let profile = shipped("example_anonymised");
    for (record, birth, tests) in
        [(&HANAKO_N, "2003-02", ["", ""]), (&HANAKO_K, "2003-07", ["4.8", "20.9"])]
    {
        let zone = (0..=u8::MAX).find(|seed| processed(&profile, *seed, record)[2] == "2020/7/29");
        assert_eq!(
            processed(&profile, zone.unwrap(), record),
            ["女", birth, "2020/7/29", "50～55", "201以上", tests[0], tests[1], "その他"]
        );
    }
}

#[test]
fn dp_5_a_birth_date_keeps_its_year_alone() {
    let toml =
        shipped("example_anonymised").toml().replace("date_to = \"month\"", "date_to = \"year\"");
    let profile = Profile::parse(&toml).unwrap();
    assert_eq!(processed(&profile, 1, &HANAKO_N)[1], "2003");
}

#[test]
fn days_between_a_persons_dates_stay_whatever_the_secret() {
    let profile = shipped("example_anonymised");
    let later = {
        let mut record = HANAKO_N;
        record[3] = "2020/8/13";
        record
    };
    let day = |text: &str| dates::days(text).unwrap();
    for seed in 0..40 {
        let (one, other) =
            (processed(&profile, seed, &HANAKO_N), processed(&profile, seed, &later));
        assert_eq!(day(&other[2]) - day(&one[2]), 10);
        assert_ne!(one[2], "2020/8/3");
    }
}

#[test]
fn rules_refuse_what_they_cannot_process_and_show_nothing() {
    let profile = shipped("example_anonymised");
    let headers = HEADERS.map(str::to_owned);
    let table = &profile.tables[0];
    for (place, bad, code) in [
        (2, "2003/2/31", "source.bad_date"),
        (4, "heavy", "source.bad_number"),
        (4, "5000", "source.out_of_range"),
        (0, "", "source.missing_value"),
        (5, &"9".repeat(1025), "source.long_field"),
    ] {
        let mut record = HANAKO_N;
        record[place] = bad;
        let mut processor =
            RowProcessor::new(&profile, table, &headers, Frequent::default()).unwrap();
        let (mut batch, mut errors) = (BatchBuilder::new(table), Vec::new());
        let mut tokens = tokens(1, &profile);
        let outcome = processor.row(&record, 1, &mut tokens, &mut batch, &mut errors).unwrap();
        assert_eq!((outcome, batch.rows()), (Outcome::Wrong, 0));
        assert_eq!((errors.len(), errors[0].code), (1, code));
        assert!(bad.is_empty() || !format!("{errors:?}").contains(bad));
    }
}

/// What a rule makes of a field of the only column besides the patient: its value and whether
/// it counts as changed, or the code of what is wrong.
fn made(column: &str, field: &str) -> Result<(Value, bool), &'static str> {
    let toml = format!(
        r#"
id = "one"
title = {{ ja = "一", en = "One" }}
description = {{ ja = "試験用", en = "For tests" }}
source = "tests"
licence = "CC0-1.0"
[[tables]]
name = "one"
description = {{ ja = "一", en = "One" }}
columns = [
  {{ name = "patient", kind = "patient", source = "pid", description = {{ ja = "患者", en = "Patient" }} }},
  {{ name = "it", description = {{ ja = "値", en = "It" }}, {column} }},
]
"#
    );
    let profile = Profile::parse(&toml).unwrap_or_else(|errors| panic!("{errors}"));
    let table = &profile.tables[0];
    let headers = ["pid", "it"].map(str::to_owned);
    let mut processor = RowProcessor::new(&profile, table, &headers, Frequent::default()).unwrap();
    let (mut batch, mut errors) = (BatchBuilder::new(table), Vec::new());
    let row = ["P1", field];
    let mut tokens = tokens(1, &profile);
    match processor.row(&row, 1, &mut tokens, &mut batch, &mut errors).unwrap() {
        Outcome::Kept => {
            let changed = processor.notes(table).changed.values().sum::<u64>() == 1;
            Ok((processor.values[1].clone(), changed))
        }
        Outcome::RemovedByRule => Ok((Value::NoRow, true)),
        Outcome::Wrong => Err(errors[0].code),
    }
}

#[test]
fn dp_1_numbers_are_rounded_to_the_nearest_step_and_halves_go_up() {
    let float = r#"kind = "float", rule = { round = 2.5 }, dummy = { uniform = [1, 9] }"#;
    for (field, wanted) in
        [("50", 50.0), ("51.2", 50.0), ("51.25", 52.5), ("51.3", 52.5), ("-51.25", -50.0)]
    {
        let changed = field.parse() != Ok(wanted);
        assert_eq!(made(float, field), Ok((Value::Float(Some(wanted)), changed)), "{field}");
    }
    let tenths = r#"kind = "float", rule = { round = 0.1 }, dummy = { uniform = [1, 9] }"#;
    for (field, wanted) in [("36.64", 36.6), ("36.65", 36.7), ("0.3", 0.3), ("1e3", 1000.0)] {
        let changed = field.parse() != Ok(wanted);
        assert_eq!(made(tenths, field), Ok((Value::Float(Some(wanted)), changed)), "{field}");
    }
    let int =
        r#"kind = "int", range = [0, 130], rule = { round = 5 }, dummy = { uniform = [1, 9] }"#;
    for (field, wanted) in [("0", 0), ("2", 0), ("3", 5), ("5", 5), ("128", 130)] {
        let changed = field.parse() != Ok(wanted);
        assert_eq!(made(int, field), Ok((Value::Int(Some(wanted)), changed)), "{field}");
    }
    // The range is the source's: what is wrong is not rounded into it.
    assert_eq!(made(int, "131"), Err("source.out_of_range"));
}

#[test]
fn dp_1_numbers_beyond_a_limit_become_the_limit() {
    let ends = [
        ("bottom = 80, top = 200", 80.0, 200.0),
        ("bottom = 80", 80.0, 300.0),
        ("top = 200", 10.0, 200.0),
    ];
    for (rule, least, most) in ends {
        for (field, read) in [("10", 10), ("79", 79), ("80", 80), ("200", 200), ("300", 300)] {
            let wanted = f64::from(read).max(least).min(most);
            let changed = wanted != f64::from(read);
            let column = |kind: &str| {
                format!("kind = \"{kind}\", rule = {{ {rule} }}, dummy = {{ uniform = [90, 99] }}")
            };
            let float = Ok((Value::Float(Some(wanted)), changed));
            assert_eq!(made(&column("float"), field), float, "{rule} {field}");
            let int = Ok((Value::Int(Some(wanted as i64)), changed));
            assert_eq!(made(&column("int"), field), int, "{rule} {field}");
        }
    }
}

#[test]
fn dp_1_undeclared_codes_go_missing_or_become_another_or_take_the_row_along() {
    let code = |code: &str| Value::Code(Some(code.to_owned()));
    for (rule, wanted) in [
        ("undeclared = \"missing\"", Value::Code(None)),
        ("undeclared = \"other\", other = \"b\"", code("b")),
        ("undeclared = \"row\"", Value::NoRow),
    ] {
        let column = format!(
            "kind = \"code\", nullable = true, rule = {{ {rule} }}, \
             codes = {{ a = {{ ja = \"甲\", en = \"a\" }}, b = {{ ja = \"乙\", en = \"b\" }} }}"
        );
        assert_eq!(made(&column, "a"), Ok((code("a"), false)), "{rule}");
        assert_eq!(made(&column, "c"), Ok((wanted, true)), "{rule}");
        assert_eq!(made(&column, ""), Ok((Value::Code(None), false)), "{rule}");
    }
}

#[test]
fn dp_1_a_rare_code_becomes_the_other_and_an_undeclared_one_is_wrong() {
    let column = "kind = \"code\", rule = { rare_below = 2, other = \"b\" }, \
        codes = { a = { ja = \"甲\", en = \"a\" }, b = { ja = \"乙\", en = \"b\" } }";
    let other = Value::Code(Some("b".to_owned()));
    assert_eq!(made(column, "a"), Ok((other.clone(), true)));
    assert_eq!(made(column, "b"), Ok((other, false)));
    assert_eq!(made(column, "c"), Err("source.undeclared_code"));
}

#[test]
fn values_that_do_not_fit_one_another_are_refused() {
    let profile = shipped("emr");
    let processed = |table: &str, headers: &[&str], record: &[&str]| {
        let table = profile.table(table).unwrap();
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let mut processor =
            RowProcessor::new(&profile, table, &headers, Frequent::default()).unwrap();
        let (mut batch, mut errors) = (BatchBuilder::new(table), Vec::new());
        let mut tokens = tokens(1, &profile);
        let outcome = processor.row(record, 1, &mut tokens, &mut batch, &mut errors).unwrap();
        (outcome, errors.first().map(|wrong| (wrong.code, wrong.column.clone())))
    };
    let stay = ["subject", "class", "start", "end"];
    let kept = (Outcome::Kept, None);
    assert_eq!(processed("encounters", &stay, &["1", "IMP", "2024-02-01", "2024-02-01"]), kept);
    assert_eq!(processed("encounters", &stay, &["1", "IMP", "2024-02-01", ""]), kept);
    assert_eq!(
        processed("encounters", &stay, &["1", "IMP", "2024-02-01", "2024-01-31"]),
        (Outcome::Wrong, Some(("source.out_of_order", "end".to_owned())))
    );
    let result = ["subject", "item", "effective", "value", "unit", "valueText"];
    let lab = |item, value, unit| {
        processed("observations", &result, &["1", item, "2024-02-01", value, unit, ""])
    };
    // A range is that of numbers in the item's unit.
    for (item, value, unit) in [
        ("K", "4.1", "mmol/L"),
        ("Na", "141", "mmol/L"),
        ("HIV", "41", "{COI}"),
        ("HbA1c-NGSP", "46", "mmol/mol"),
        ("HIV", "", ""),
    ] {
        assert_eq!(lab(item, value, unit), kept, "{item} {value} {unit}");
    }
    for (item, value, unit, code) in [
        ("K", "41", "mmol/L", "source.out_of_range"),
        ("HbA1c-NGSP", "46", "%", "source.out_of_range"),
        ("K", "4.1", "", "source.missing_unit"),
    ] {
        let wrong = (Outcome::Wrong, Some((code, "value".to_owned())));
        assert_eq!(lab(item, value, unit), wrong, "{item} {value} {unit}");
    }
}
