use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::contingency_stratum::Result as Shown;
use sekisho_proto::v1::survival_curve::Comparison;
use sekisho_proto::v1::{
    Association, Cell, ChiSquareTest, Coefficient, CoefficientScale, Coefficients, ColumnRole,
    Contingency, ContingencyStratum, CumulativeIncidence, HistogramSeries, IncidenceCurve,
    IncidenceGroup, IncidenceStep, ShortText, Suppression, SurvivalCurve, SurvivalGroup,
    SurvivalStep, Table, TableColumn, TableRow,
};

use super::*;

fn verified(patients: u64) -> Evidence {
    Evidence { host_verified: true, patients, ..Evidence::default() }
}

fn output(body: Body) -> Output {
    Output { name: "o".into(), title: "O".into(), body: Some(body) }
}

fn found(output: &Output, evidence: &Evidence) -> Vec<(String, String)> {
    checks(output, evidence, 10).into_iter().map(|f| (f.code, f.location)).collect()
}

fn hidden() -> Value {
    Value::Suppressed(Suppression::MinCell.into())
}

/// Key column `sex`, patient count, mean.
fn table(rows: &[(&str, Option<Value>, Option<Value>)]) -> Output {
    let column = |name: &str, role: ColumnRole| TableColumn {
        name: name.into(),
        unit: String::new(),
        role: role.into(),
    };
    let cell = |value: Option<Value>| Cell { value };
    let rows = rows.iter().map(|(key, n, mean)| TableRow {
        cells: vec![cell(Some(Value::Label((*key).into()))), cell(n.clone()), cell(mean.clone())],
    });
    output(Body::Table(Table {
        columns: vec![
            column("sex", ColumnRole::Key),
            column("patients", ColumnRole::PatientCount),
            column("mean", ColumnRole::Statistic),
        ],
        rows: rows.collect(),
    }))
}

fn n(count: i64) -> Option<Value> {
    Some(Value::Count(count))
}

fn x(number: f64) -> Option<Value> {
    Some(Value::Number(number))
}

#[test]
fn ou_1_cells_are_judged_by_distinct_patients() {
    type Row = (&'static str, Option<Value>, Option<Value>);
    let cases: [(Row, &[&str]); 9] = [
        (("a", n(10), x(6.1)), &[]),
        (("a", n(9), x(6.1)), &["small_cell", "small_statistic"]),
        (("a", n(1), None), &["small_cell"]),
        (("a", n(0), None), &["zero_cell"]),
        (("a", None, None), &[]),
        (("a", Some(hidden()), Some(hidden())), &[]),
        (("a", Some(hidden()), x(6.1)), &["statistic_without_patients"]),
        (("a", n(0), x(6.1)), &["zero_cell", "statistic_without_patients"]),
        (("a", n(50), x(6.12345)), &["excess_precision"]),
    ];
    for (row, expected) in cases {
        let codes: Vec<String> = found(&table(std::slice::from_ref(&row)), &verified(100))
            .into_iter()
            .map(|(code, _)| code)
            .collect();
        assert_eq!(codes, expected, "{row:?}");
    }
}

#[test]
fn locations_name_row_and_column() {
    let rows = [("a", n(20), None), ("b", n(3), None)];
    let expected = [("small_cell".to_owned(), "row 2, column patients".to_owned())];
    assert_eq!(found(&table(&rows), &verified(100)), expected);
}

#[test]
fn one_withheld_row_beside_a_total_can_be_derived() {
    let rows = [("a", n(20), None), ("b", Some(hidden()), None), ("total", n(25), None)];
    let codes = found(&table(&rows), &verified(25));
    assert!(codes.contains(&("differencing".into(), "row 2".into())), "{codes:?}");
}

#[test]
fn a_total_minus_a_row_may_be_small() {
    let rows = [
        ("a", n(95), None),
        ("b", Some(hidden()), None),
        ("c", Some(hidden()), None),
        ("全体", n(100), None),
    ];
    let codes = found(&table(&rows), &verified(100));
    assert_eq!(codes, [("differencing".into(), "row 1 against the total".into())]);
}

#[test]
fn one_withheld_row_without_a_total_is_a_warning() {
    let rows = [("a", n(20), None), ("b", Some(hidden()), None)];
    let codes = found(&table(&rows), &verified(25));
    assert_eq!(codes, [("single_withheld".into(), "row 2".into())]);
    let two = [("a", n(20), None), ("b", Some(hidden()), None), ("c", Some(hidden()), None)];
    assert_eq!(found(&table(&two), &verified(25)), []);
}

#[test]
fn a_table_without_patient_counts_is_flagged() {
    let Some(Body::Table(mut body)) = table(&[("a", n(3), None)]).body else { panic!() };
    body.columns[1].role = ColumnRole::Count.into();
    let codes = found(&output(Body::Table(body)), &verified(100));
    let codes: Vec<&str> = codes.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["no_patient_count", "small_count"]);
}

#[test]
fn claims_of_a_cohort_module_are_marked() {
    let evidence = Evidence { patients: 100, ..Evidence::default() };
    let codes = found(&table(&[("a", n(20), None)]), &evidence);
    assert_eq!(codes, [("not_host_verified".into(), "the whole output".into())]);
}

#[test]
fn too_few_patients_in_all_block_the_output() {
    let codes = found(&table(&[]), &verified(4));
    assert_eq!(codes[0].0, "few_patients");
}

#[test]
fn histogram_bins_are_cells() {
    let series = HistogramSeries { key: vec![], patients: vec![12, 3, 0], below: 0, above: 2 };
    let body = Histogram { unit: String::new(), edges: vec![0.0; 4], series: vec![series] };
    let codes = found(&output(Body::Histogram(body)), &verified(17));
    let expected = [
        ("small_cell", "series 1, bin 2"),
        ("zero_cell", "series 1, bin 3"),
        ("small_cell", "series 1, above"),
    ];
    assert_eq!(codes, expected.map(|(c, l)| (c.to_owned(), l.to_owned())));
}

#[test]
fn survival_groups_and_steps_are_cells() {
    let step = |events| SurvivalStep { events, ..SurvivalStep::default() };
    let group = |patients, events, steps| SurvivalGroup {
        patients,
        events,
        median: Some(5.0),
        steps,
        ..SurvivalGroup::default()
    };
    let curve = SurvivalCurve {
        groups: vec![
            group(100, 30, vec![step(10), step(20)]),
            group(9, 2, vec![]),
            group(40, 8, vec![step(8)]),
        ],
        ..SurvivalCurve::default()
    };
    let codes = found(&output(Body::Survival(curve)), &verified(149));
    let expected =
        [("small_cell", "group 2"), ("few_events", "group 3"), ("small_step", "group 3, step 1")];
    assert_eq!(codes, expected.map(|(c, l)| (c.to_owned(), l.to_owned())));
}

#[test]
fn ou_1_a_comparison_with_a_small_group_is_flagged() {
    let group = |patients| SurvivalGroup { patients, ..SurvivalGroup::default() };
    let curve = |patients| {
        output(Body::Survival(SurvivalCurve {
            groups: vec![group(50), group(patients)],
            comparison: Some(Comparison::LogRank(ChiSquareTest::default())),
            ..SurvivalCurve::default()
        }))
    };
    assert_eq!(found(&curve(10), &verified(60)), []);
    let codes: Vec<_> = found(&curve(9), &verified(59)).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["small_cell", "small_statistic"]);
}

#[test]
fn incidence_is_judged_by_group_cause_and_step() {
    let step = |events| IncidenceStep { events, ..IncidenceStep::default() };
    let curve = |events, steps| IncidenceCurve { events, steps };
    let group = |patients, curves| IncidenceGroup { key: vec![], patients, curves };
    let curves = CumulativeIncidence {
        groups: vec![
            group(100, vec![curve(30, vec![step(10), step(20)]), curve(0, vec![])]),
            group(60, vec![curve(12, vec![step(9)]), curve(4, vec![])]),
            group(4, vec![]),
        ],
        ..CumulativeIncidence::default()
    };
    let expected = [
        ("small_step", "group 2, cause 1, step 1"),
        ("few_events", "group 2, cause 2"),
        ("small_cell", "group 3"),
    ];
    let codes = found(&output(Body::Incidence(curves)), &verified(164));
    assert_eq!(codes, expected.map(|(c, l)| (c.to_owned(), l.to_owned())));
}

#[test]
fn ou_1_a_contingency_table_is_judged_with_what_can_be_derived() {
    let tables = |cells: [[i64; 3]; 3], result| {
        let cell = |n: i64| Cell { value: Some(if n < 0 { hidden() } else { Value::Count(n) }) };
        let row = |row: [i64; 3]| TableRow { cells: row.map(cell).to_vec() };
        let rows = cells.map(row).to_vec();
        let strata = vec![ContingencyStratum { label: String::new(), rows, result }];
        output(Body::Contingency(Contingency { strata, ..Contingency::default() }))
    };
    let shown = || Some(Shown::Association(Association::default()));
    let codes = |output: &Output| -> Vec<(String, String)> { found(output, &verified(105)) };
    let whole = [[20, 30, 50], [40, 15, 55], [60, 45, 105]];
    assert_eq!(codes(&tables(whole, shown())), []);
    let withheld = [[-1, -1, 50], [-1, -1, 55], [60, 45, 105]];
    assert_eq!(codes(&tables(withheld, None)), []);
    let expected = [("small_statistic".to_owned(), "table 1".to_owned())];
    assert_eq!(codes(&tables(withheld, shown())), expected);
    let alone = [[-1, 30, 50], [40, 15, 55], [60, 45, 105]];
    let expected = [("differencing".to_owned(), "table 1".to_owned())];
    assert_eq!(codes(&tables(alone, None)), expected);
    let small = [[4, 30, 34], [40, 15, 55], [44, 45, 89]];
    let expected = [
        ("small_cell".to_owned(), "table 1, row 1, column 1".to_owned()),
        ("small_statistic".to_owned(), "table 1".to_owned()),
    ];
    assert_eq!(codes(&tables(small, shown())), expected);
}

#[test]
fn ou_1_a_model_is_judged_by_its_degrees_of_freedom_and_its_patients() {
    let term = |estimate| Coefficient { estimate, ..Coefficient::default() };
    let fit = |patients, events, residual, scale: CoefficientScale| {
        output(Body::Coefficients(Coefficients {
            scale: scale.into(),
            patients,
            events,
            residual_degrees_of_freedom: residual,
            coefficients: vec![term(Some(0.25)), term(None)],
            ..Coefficients::default()
        }))
    };
    let (odds, hazard) = (CoefficientScale::LogOdds, CoefficientScale::LogHazard);
    let cases: [(Output, &[(&str, &str)]); 6] = [
        (fit(100, Some(40), 98, odds), &[]),
        (fit(100, Some(11), 9, hazard), &[("few_degrees", "the model")]),
        (
            fit(9, None, 7, CoefficientScale::Identity),
            &[("few_degrees", "the model"), ("small_cell", "patients")],
        ),
        (fit(100, Some(95), 98, odds), &[("small_cell", "patients without the event")]),
        (fit(100, Some(95), 93, hazard), &[]),
        (fit(100, Some(4), 98, odds), &[("small_cell", "events")]),
    ];
    for (output, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(c, l)| ((*c).into(), (*l).into())).collect();
        assert_eq!(found(&output, &verified(100)), expected, "{output:?}");
    }
    let nothing = output(Body::Coefficients(Coefficients::default()));
    assert_eq!(found(&nothing, &verified(100))[0].0, "empty_output");
}

#[test]
fn text_is_always_read_by_a_person() {
    let codes = found(&output(Body::Text(ShortText { text: "fine".into() })), &verified(100));
    assert_eq!(codes[0].0, "text_output");
}

#[test]
fn a_flood_of_one_finding_is_cut() {
    let rows: Vec<_> = (0..200).map(|_| ("a", n(1), None)).collect();
    let found = checks(&table(&rows), &verified(200), 10);
    assert_eq!(found.len(), 51);
    assert_eq!(found[50].location, "and more of the same");
}

#[test]
fn findings_never_repeat_the_value() {
    let rows = [("a", n(7), x(7.77)), ("b", n(20), None)];
    for finding in checks(&table(&rows), &verified(100), 10) {
        assert!(!finding.location.contains('7') && !finding.advice.contains('7'));
    }
}

#[test]
fn codes_are_unique() {
    for (at, rule) in RULES.iter().enumerate() {
        assert!(RULES.iter().skip(at + 1).all(|other| other.code != rule.code));
    }
}
