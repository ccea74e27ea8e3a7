mod groups;
mod lung;
mod order;

use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::output::Body;

use super::*;

fn aggregates(outputs: &str) -> Aggregates {
    let head = "name = \"a\"\ntitle = \"A\"\nworld = \"per-patient\"\n[[tables]]\nname = \"t\"\n\
                columns = [{ name = \"x\", kind = \"int\" }]\n";
    Aggregates::new(&Manifest::parse(&format!("{head}{outputs}")).unwrap())
}

fn given(output: u32, keys: &[u32], values: &[f64]) -> Contribution {
    Contribution { output, keys: keys.to_vec(), values: values.to_vec() }
}

const COUNT: &str = "[[outputs]]\nname = \"n\"\ntitle = \"N\"\nkind = \"count\"\n\
    max_contributions = 2\nkeys = [{ name = \"a\", labels = [\"x\", \"y\"] }, \
    { name = \"b\", labels = [\"p\", \"q\", \"r\"] }]\n";
const SUM: &str = "[[outputs]]\nname = \"s\"\ntitle = \"S\"\nkind = \"sum\"\nunit = \"mg\"\n\
    clamp = [0.0, 100.0]\n";
const BINS: &str = "[[outputs]]\nname = \"h\"\ntitle = \"H\"\nkind = \"histogram\"\n\
    edges = [0.0, 10.0, 20.0]\nmax_contributions = 4\n";
const SURVIVAL: &str = "[[outputs]]\nname = \"k\"\ntitle = \"K\"\nkind = \"survival\"\n\
    unit = \"day\"\n";

fn table(output: &v1::Output) -> Vec<Vec<Option<Value>>> {
    let Some(Body::Table(table)) = &output.body else { panic!("not a table") };
    table.rows.iter().map(|r| r.cells.iter().map(|c| c.value.clone()).collect()).collect()
}

#[test]
fn a_patient_counts_once_in_a_cell() {
    let mut made = aggregates(COUNT);
    made.accept(&[given(0, &[1, 2], &[]), given(0, &[1, 2], &[]), given(0, &[0, 0], &[])]).unwrap();
    made.accept(&[given(0, &[1, 2], &[])]).unwrap();
    let (output, evidence) = made.finish(10).remove(0);
    assert_eq!(evidence.cell_patients, [1, 0, 0, 0, 0, 2]);
    assert_eq!((evidence.patients, evidence.host_verified), (2, true));
    let last = table(&output).pop().unwrap();
    assert_eq!(last[0], Some(Value::Label("y".into())));
    assert_eq!(last[1], Some(Value::Label("r".into())));
    assert_eq!(last[2], Some(Value::Count(2)));
}

#[test]
fn sums_are_clamped_and_missing_values_add_nothing() {
    let mut made = aggregates(SUM);
    for value in [10.0, 20.0, 1e300, f64::NEG_INFINITY, f64::NAN] {
        made.accept(&[given(0, &[], &[value])]).unwrap();
    }
    let (output, evidence) = made.finish(10).remove(0);
    assert_eq!(evidence.patients, 4);
    let row = table(&output).remove(0);
    assert_eq!(row[0], Some(Value::Count(4)));
    assert_eq!(row[1], Some(Value::Number(130.0)));
    assert_eq!(row[2], Some(Value::Number(32.5)));
    assert_eq!(row[3], Some(Value::Number(45.7347)));
}

#[test]
fn sums_do_not_depend_on_order() {
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i) * 0.097_3 % 100.0).collect();
    let total = |values: &[f64]| {
        let mut made = aggregates(SUM);
        for &v in values {
            made.accept(&[given(0, &[], &[v])]).unwrap();
        }
        made.finish(10)
    };
    let mut reversed = values.clone();
    reversed.reverse();
    assert_eq!(total(&values), total(&reversed));
}

#[test]
fn histograms_count_patients_not_values() {
    let mut made = aggregates(BINS);
    made.accept(&[given(0, &[], &[5.0]), given(0, &[], &[6.0]), given(0, &[], &[10.0])]).unwrap();
    made.accept(&[given(0, &[], &[-1.0]), given(0, &[], &[20.0])]).unwrap();
    let (output, evidence) = made.finish(10).remove(0);
    let Some(Body::Histogram(histogram)) = output.body else { panic!("not a histogram") };
    let series = &histogram.series[0];
    assert_eq!((series.below, &series.patients[..], series.above), (1, &[1, 1][..], 1));
    assert_eq!(evidence.cell_patients, [2]);
}

#[test]
fn a_malformed_answer_is_refused_as_a_whole() {
    let cases: [(&str, Vec<Contribution>, Malformed); 8] = [
        (COUNT, vec![given(7, &[], &[])], Malformed::UnknownOutput(7)),
        (COUNT, vec![given(0, &[0, 3], &[])], Malformed::Keys("n".into())),
        (COUNT, vec![given(0, &[0], &[])], Malformed::Keys("n".into())),
        (COUNT, vec![given(0, &[0, 0], &[1.0])], Malformed::Arity("n".into())),
        (
            COUNT,
            vec![given(0, &[0, 0], &[]), given(0, &[0, 1], &[]), given(0, &[0, 2], &[])],
            Malformed::TooMany("n".into()),
        ),
        (SUM, vec![given(0, &[], &[1.0]), given(0, &[], &[2.0])], Malformed::Twice("s".into())),
        (SURVIVAL, vec![given(0, &[], &[5.0, 2.0])], Malformed::Event("k".into())),
        (SURVIVAL, vec![given(0, &[], &[-5.0, 1.0])], Malformed::Event("k".into())),
    ];
    for (outputs, answer, expected) in cases {
        let mut made = aggregates(outputs);
        assert_eq!(made.accept(&answer), Err(expected));
        assert_eq!(made.finish(10).remove(0).1.patients, 0);
    }
}

#[test]
fn ou_1_small_cells_are_withheld_when_the_manifest_says_so_but_zero_stays() {
    let mut made = aggregates(&format!("{COUNT}suppress_small = true\n"));
    for _ in 0..9 {
        made.accept(&[given(0, &[0, 0], &[])]).unwrap();
    }
    for _ in 0..10 {
        made.accept(&[given(0, &[0, 1], &[])]).unwrap();
    }
    let (output, evidence) = made.finish(10).remove(0);
    let cells: Vec<_> = table(&output).into_iter().map(|row| row[2].clone().unwrap()).collect();
    assert!(matches!(cells[0], Value::Suppressed(_)));
    assert_eq!((&cells[1], &cells[2]), (&Value::Count(10), &Value::Count(0)));
    assert_eq!(evidence.cell_patients[0], 9);
}

#[test]
fn a_failed_patient_adds_the_declared_default_or_nothing() {
    let mut made = aggregates(&format!("{SUM}default = {{ values = [3.0] }}\n{COUNT}"));
    made.accept_default();
    let outputs = made.finish(10);
    assert_eq!((outputs[0].1.patients, outputs[1].1.patients), (1, 0));
}

#[test]
fn published_numbers_have_six_digits() {
    assert_eq!(round(123_456_789.0), 123_457_000.0);
    assert_eq!(round(0.012_345_678), 0.012_345_7);
    assert_eq!(round(-2.0 / 3.0), -0.666_667);
    assert_eq!(round(0.0), 0.0);
    assert_eq!(round(-0.0).to_bits(), 0);
}

#[test]
fn a_tie_is_rounded_the_same_whatever_the_last_bit() {
    let ties: [f64; 5] = [6.134_375, 40.031_25, 0.100_000_5, 123_456.5, -6.134_375];
    for tie in ties {
        assert_eq!(round(tie.next_down()).to_bits(), round(tie.next_up()).to_bits(), "{tie}");
        assert_ne!(round(tie * 0.999_999), round(tie * 1.000_001), "{tie}");
    }
}
