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
    let lab =
        |item, value| processed("observations", &result, &["1", item, "2024-02-01", value, "", ""]);
    assert_eq!(
        (lab("K", "4.1"), lab("Na", "141"), lab("HIV", "41")),
        (kept.clone(), kept.clone(), kept)
    );
    assert_eq!(lab("K", "41"), (Outcome::Wrong, Some(("source.out_of_range", "value".to_owned()))));
}
