use super::*;

const DESCRIPTION: &str = r#"
table = "burden"
about = "Burden scores by ICD-10, from the published list of 2024"
key = "code"

[[column]]
name = "code"
kind = "code"
about = "ICD-10, three characters"

[[column]]
name = "score"
kind = "number"
about = "Burden, points"

[[column]]
name = "group"
kind = "code"
about = "Group of the list"

[[column]]
name = "rank"
kind = "integer"
about = "Rank in the list"
"#;
const CSV: &str = "code,score,group,rank\nI10,1.5,循環器,2\nE11,2.25,,1\n\"C,34\",,腫瘍,\n";

/// Codes of the findings over a description and rows.
fn codes(description: &str, csv: &[u8]) -> Vec<&'static str> {
    let found = read(description.as_bytes(), csv).err().map(|refused| refused.findings);
    found.unwrap_or_default().iter().map(|finding| finding.code).collect()
}

fn rows(rows: &str) -> Vec<&'static str> {
    codes(DESCRIPTION, format!("code,score,group,rank\n{rows}").as_bytes())
}

fn described(from: &str, to: &str) -> Vec<&'static str> {
    assert!(DESCRIPTION.contains(from), "{from}");
    codes(&DESCRIPTION.replace(from, to), CSV.as_bytes())
}

#[test]
fn a_table_is_read_and_looked_up() {
    for csv in [CSV.to_owned(), format!("\u{feff}{}", CSV.replace('\n', "\r\n"))] {
        let table = read(DESCRIPTION.as_bytes(), csv.as_bytes()).unwrap();
        assert_eq!((table.rows(), table.description().table.as_str()), (3, "burden"));
        assert_eq!((table.lookup("E11"), table.lookup("C,34")), (Some(1), Some(2)));
        assert_eq!((table.lookup("e11"), table.lookup("")), (None, None));
        let score = Values::Number(vec![Some(1.5), Some(2.25), None]);
        assert_eq!(table.values("score"), Some(&score));
        let group = vec![Some("循環器".to_owned()), None, Some("腫瘍".to_owned())];
        assert_eq!(table.values("group"), Some(&Values::Code(group)));
        assert_eq!(table.values("rank"), Some(&Values::Integer(vec![Some(2), Some(1), None])));
        assert_eq!(table.values("other"), None);
    }
}

#[test]
fn a_description_that_cannot_be_read_is_refused_where_it_is_wrong() {
    assert_eq!(codes(&"#".repeat(MAX_DESCRIPTION + 1), b""), ["description_too_large"]);
    let refused = read(b"about = \"\xff\"", b"").unwrap_err();
    assert_eq!(refused.findings[0].code, "description_encoding");
    for (from, to, line) in [
        ("key = \"code\"", "key = code", 4),
        ("key = \"code\"", "key = \"code\"\nunit = 3", 5),
        ("kind = \"number\"", "kind = \"date\"", 13),
    ] {
        let refused = read(DESCRIPTION.replace(from, to).as_bytes(), b"").unwrap_err();
        let [found] = refused.findings.as_slice() else { panic!("{refused}") };
        assert_eq!((found.code, found.line), ("description_syntax", Some(line)), "{to}");
    }
    assert_eq!(described("about = \"Burden, points\"", ""), ["description_syntax"]);
}

#[test]
fn a_description_whose_fields_do_not_fit_is_refused() {
    assert_eq!(described("table = \"burden\"", "table = \"../burden\""), ["description_field"]);
    assert_eq!(described("name = \"rank\"", "name = \"group\""), ["description_field"]);
    assert_eq!(described("name = \"rank\"", "name = \"a.b\""), ["description_field"]);
    assert_eq!(described("about = \"Burden, points\"", "about = \" \""), ["description_field"]);
    assert_eq!(described("key = \"code\"", "key = \"score\""), ["key_missing"]);
    assert_eq!(described("key = \"code\"", "key = \"atc\""), ["key_missing"]);
    let column = |n| format!("[[column]]\nname = \"c{n}\"\nkind = \"integer\"\nabout = \"n\"\n");
    let many: String = (0..MAX_COLUMNS).map(column).collect();
    assert_eq!(codes(&format!("{DESCRIPTION}{many}"), b""), ["too_many_columns"]);
    let (alone, _) = DESCRIPTION.split_once("[[column]]\nname = \"score\"").unwrap();
    assert_eq!(codes(alone, b""), ["description_field"]);
}

#[test]
fn a_table_that_cannot_be_read_is_refused() {
    assert_eq!(codes(DESCRIPTION, &vec![b'x'; MAX_TABLE + 1]), ["table_too_large"]);
    let refused = read(DESCRIPTION.as_bytes(), b"code,score,group,rank\nI10,\xff,,\n").unwrap_err();
    assert_eq!((refused.findings[0].code, refused.findings[0].line), ("table_encoding", Some(2)));
    for header in ["", "code,score,group\n", "code,group,score,rank\n", "Code,score,group,rank\n"] {
        assert_eq!(codes(DESCRIPTION, header.as_bytes()), ["table_header"], "{header}");
    }
    assert_eq!(rows(""), ["table_empty"]);
    assert_eq!(rows("I10,1\n"), ["table_syntax"]);
    let many: String = (0..=MAX_ROWS).map(|n| format!("C{n},1,,\n")).collect();
    assert_eq!(rows(&many), ["too_many_rows"]);
}

#[test]
fn values_that_do_not_fit_are_refused_where_they_stand() {
    assert_eq!(rows("I10,,,\nI10,,,\n"), ["key_duplicate"]);
    assert_eq!(rows(",1,,\n"), ["key_empty"]);
    assert_eq!(rows("I10, 1,,\n"), ["value_form"]);
    assert_eq!(rows(&format!("I10,,{},\n", "x".repeat(MAX_VALUE_CHARS + 1))), ["value_form"]);
    for number in ["x", "NaN", "inf", "1e999", "1,5"] {
        assert_eq!(rows(&format!("I10,\"{number}\",,\n")), ["value_kind"], "{number}");
    }
    for integer in ["1.0", "9223372036854775808"] {
        assert_eq!(rows(&format!("I10,,,{integer}\n")), ["value_kind"], "{integer}");
    }
    let csv = b"code,score,group,rank\nI10,,,\nE11,,,many\n";
    let refused = read(DESCRIPTION.as_bytes(), csv).unwrap_err();
    let [found] = refused.findings.as_slice() else { panic!("{refused}") };
    assert_eq!((found.line, found.column.as_deref()), (Some(3), Some("rank")));
}

#[test]
fn findings_are_counted_beyond_those_that_are_kept() {
    let bad: String = (0..MAX_FINDINGS + 7).map(|n| format!("C{n},x,,\n")).collect();
    let csv = format!("code,score,group,rank\n{bad}");
    let refused = read(DESCRIPTION.as_bytes(), csv.as_bytes()).unwrap_err();
    assert_eq!((refused.findings.len(), refused.more), (MAX_FINDINGS, 7));
}

#[test]
fn ri_1_a_column_that_names_a_person_is_refused() {
    for name in ["name", "birth_date", "home_address", "phone", "insured_number", "patient_id"] {
        let found = described("name = \"group\"", &format!("name = \"{name}\""));
        assert_eq!(found, ["identifying_column"], "{name}");
    }
    for name in ["氏名", "生年月日", "被保険者番号", "患者番号"] {
        let found = described("name = \"group\"", &format!("name = \"{name}\""));
        assert_eq!(found, ["identifying_column", "description_field"], "{name}");
        let found = described("about = \"Group of the list\"", &format!("about = \"{name}\""));
        assert_eq!(found, ["identifying_column"], "{name}");
    }
}

#[test]
fn ri_1_a_value_that_names_a_person_is_refused_and_not_repeated() {
    for value in ["090-1234-5678", "山田 太郎", "ヤマダ タロウ", "a.b@example.org"] {
        assert_eq!(rows(&format!("I10,1,{value},\n")), ["identifying_value"], "{value}");
        assert_eq!(rows(&format!("{value},1,,\n")), ["identifying_value"], "{value} as a key");
        let csv = format!("code,score,group,rank\nI10,1,{value},\n");
        let refused = read(DESCRIPTION.as_bytes(), csv.as_bytes()).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains(value), "{refused}");
    }
    assert_eq!(rows("I10,1,,09012345678\n"), ["identifying_value"], "a number as an integer");
}

#[test]
fn dp_3_a_card_number_is_refused_in_codes_and_in_numbers() {
    assert_eq!(rows("I10,1,4111 1111 1111 1111,\n"), ["identifying_value"]);
    assert_eq!(rows("I10,1,,4111111111111111\n"), ["identifying_value"]);
    assert_eq!(rows("I10,4111111111111111,,\n"), ["identifying_value"]);
}

#[test]
fn ri_1_a_day_is_refused() {
    for day in ["2024-01-31", "2024/1/31", "20240131", "令和6年1月31日"] {
        assert_eq!(rows(&format!("I10,1,{day},\n")), ["date_value"], "{day}");
        assert_eq!(rows(&format!("{day},1,,\n")), ["date_value"], "{day} as a key");
    }
    assert_eq!(rows("I10,1,,20240131\n"), ["date_value"], "a day as an integer");
}

#[test]
fn ri_1_a_day_or_a_telephone_number_is_found_however_the_number_is_written() {
    for day in ["20240131.0", "20240131.", "+20240131", "-20240131", "2.0240131e7", "202401310E-1"]
    {
        assert_eq!(rows(&format!("I10,{day},,\n")), ["date_value"], "{day}");
    }
    for telephone in ["09012345678.0", "+9012345678", "+9.012345678e9", "+819012345678"] {
        assert_eq!(rows(&format!("I10,{telephone},,\n")), ["identifying_value"], "{telephone}");
    }
    assert_eq!(rows("I10,1,,+20240131\n"), ["date_value"], "an integer with a sign");
    assert_eq!(rows("I10,4111111111111111.0,,\n"), ["identifying_value"], "a card");
    for amount in ["1.5", "2024.0131", "-3e-7", "1e300", "12345678.9", "+12.5", "9012345678"] {
        assert!(rows(&format!("I10,{amount},,\n")).is_empty(), "{amount}");
    }
}

#[test]
fn ri_1_a_column_that_tells_the_rows_apart_is_refused() {
    let table = |rows: u32, group: &dyn Fn(u32) -> String| -> String {
        (0..rows).map(|n| format!("C{n},{n}.5,{},{}\n", group(n), n * 7)).collect()
    };
    assert_eq!(rows(&table(20, &|n| format!("P{n}"))), ["near_unique"]);
    assert!(rows(&table(19, &|n| format!("P{n}"))).is_empty(), "too few rows to tell");
    assert!(rows(&table(20, &|n| format!("P{}", n.min(17)))).is_empty(), "90 % are distinct");
    let numbers: String = (0..20).map(|n| format!("C{n},,,{}\n", 30_412_345 + n)).collect();
    assert_eq!(rows(&numbers), ["near_unique"]);
}
