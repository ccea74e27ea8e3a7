//! A run's output as it comes from a runner, which guest code may have taken over.

use prost::Message as _;
use sekisho_proto::v1;
use sekisho_proto::v1::output::Body;
use sekisho_vault::{Context, Key};

/// Sealed bytes that the run's key did not seal do not open; plaintext is decoded and weighed
/// without a panic, with the same findings each time.
pub fn run(bytes: &[u8]) {
    let key = Key::danger_from_bytes(&[7; 32]).unwrap();
    assert!(sekisho_vault::open(&key, &Context::new("fuzz"), bytes).is_err());
    if let Ok(sealed) = v1::SealedOutput::decode(bytes) {
        assert!(sekisho_vault::open(&key, &Context::new("fuzz"), &sealed.sealed).is_err());
    }
    let Ok(checked) = v1::CheckedOutput::decode(bytes) else { return };
    let again = v1::CheckedOutput::decode(checked.encode_to_vec().as_slice()).unwrap();
    assert_eq!(again.encode_to_vec(), checked.encode_to_vec());
    let output = checked.output.unwrap_or_default();
    let evidence = checked.evidence.unwrap_or_default();
    for min_cell in [0, 10, u32::MAX] {
        let findings = sekisho_disclosure::checks(&output, &evidence, min_cell);
        assert_eq!(sekisho_disclosure::checks(&output, &evidence, min_cell), findings);
    }
}

/// An output of every kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    use v1::cell::Value;
    let cell = |value| v1::Cell { value: Some(value) };
    let column = |role: v1::ColumnRole| v1::TableColumn {
        name: "site".to_owned(),
        unit: String::new(),
        role: role.into(),
    };
    let table = Body::Table(v1::Table {
        columns: vec![
            column(v1::ColumnRole::Key),
            column(v1::ColumnRole::PatientCount),
            column(v1::ColumnRole::Statistic),
        ],
        rows: vec![v1::TableRow {
            cells: vec![
                cell(Value::Label("west".to_owned())),
                cell(Value::Count(3)),
                cell(Value::Number(1.5)),
            ],
        }],
    });
    let histogram = Body::Histogram(v1::Histogram {
        unit: "kg".to_owned(),
        edges: vec![0.0, 50.0, 100.0],
        series: vec![v1::HistogramSeries {
            key: vec!["west".to_owned()],
            patients: vec![3, 12],
            below: 0,
            above: 1,
        }],
    });
    let survival = Body::Survival(v1::SurvivalCurve {
        time_unit: "day".to_owned(),
        key_names: vec!["site".to_owned()],
        groups: vec![v1::SurvivalGroup {
            key: vec!["west".to_owned()],
            patients: 40,
            events: 12,
            median: Some(30.0),
            steps: vec![v1::SurvivalStep { time: 9.0, survival: 0.5, ..Default::default() }],
            ..Default::default()
        }],
        events_per_step: 10,
        ..Default::default()
    });
    let coefficients = Body::Coefficients(v1::Coefficients {
        model: "a line".to_owned(),
        scale: v1::CoefficientScale::Identity.into(),
        patients: 40,
        residual_degrees_of_freedom: 38,
        coefficients: vec![v1::Coefficient {
            term: "age".to_owned(),
            estimate: Some(0.5),
            standard_error: Some(0.1),
            ..Default::default()
        }],
        ..Default::default()
    });
    let contingency = Body::Contingency(v1::Contingency {
        row_labels: vec!["west".to_owned()],
        column_labels: vec!["yes".to_owned()],
        strata: vec![v1::ContingencyStratum {
            rows: vec![v1::TableRow::default(); 2],
            ..Default::default()
        }],
        ..Default::default()
    });
    let incidence = Body::Incidence(v1::CumulativeIncidence {
        causes: vec!["death".to_owned()],
        groups: vec![v1::IncidenceGroup {
            patients: 40,
            curves: vec![v1::IncidenceCurve {
                events: 12,
                steps: vec![v1::IncidenceStep { time: 9.0, incidence: 0.3, ..Default::default() }],
            }],
            ..Default::default()
        }],
        events_per_step: 10,
        ..Default::default()
    });
    let text = Body::Text(v1::ShortText { text: "fine".to_owned() });
    let bodies = [table, histogram, survival, coefficients, contingency, incidence, text];
    let whole = bodies.map(|body| v1::CheckedOutput {
        output: Some(v1::Output { name: "one".to_owned(), body: Some(body), ..Default::default() }),
        evidence: Some(v1::Evidence { patients: 16, cell_patients: vec![3], ..Default::default() }),
        findings: Vec::new(),
    });
    let sealed = v1::SealedOutput { name: "one".to_owned(), sealed: vec![1; 60] };
    let mut seeds: Vec<_> = whole.iter().map(prost::Message::encode_to_vec).collect();
    seeds.push(sealed.encode_to_vec());
    seeds
}
