//! Outputs whose groups hang together: contingency tables, comparisons, competing events.

use sekisho_proto::v1::contingency_stratum::Result as Shown;
use sekisho_proto::v1::survival_curve::Comparison;

use super::*;

const CROSSED: &str = "[[outputs]]\nname = \"c\"\ntitle = \"C\"\nkind = \"contingency\"\n\
    keys = [{ name = \"a\", labels = [\"x\", \"y\"] }, { name = \"b\", labels = [\"p\", \"q\"] }]\n";
const STRATUM: &str = "stratum = { name = \"s\", labels = [\"s\", \"t\", \"u\"] }\n";
const COMPARED: &str = "[[outputs]]\nname = \"k\"\ntitle = \"K\"\nkind = \"survival\"\n\
    compare = true\nkeys = [{ name = \"a\", labels = [\"x\", \"y\"] }]\n";
const CAUSES: &str = "[[outputs]]\nname = \"i\"\ntitle = \"I\"\nkind = \"survival\"\n\
    causes = [\"death\", \"transplant\"]\n";

fn crossed(outputs: &str, cells: &[(&[u32], u64)]) -> (v1::Contingency, v1::Evidence) {
    let mut made = aggregates(outputs);
    for (keys, patients) in cells {
        for _ in 0..*patients {
            made.accept(&[given(0, keys, &[])]).unwrap();
        }
    }
    let (output, evidence) = made.finish(10).remove(0);
    let Some(Body::Contingency(tables)) = output.body else { panic!("not a contingency table") };
    (tables, evidence)
}

fn hidden(stratum: &v1::ContingencyStratum) -> usize {
    let cells = stratum.rows.iter().flat_map(|row| &row.cells);
    cells.filter(|cell| matches!(cell.value, Some(Value::Suppressed(_)))).count()
}

#[test]
fn two_keys_are_counted_with_totals_and_tested() {
    let cells: [(&[u32], u64); 4] = [(&[0, 0], 20), (&[0, 1], 30), (&[1, 0], 40), (&[1, 1], 15)];
    let (tables, evidence) = crossed(CROSSED, &cells);
    assert_eq!(evidence.cell_patients, [20, 30, 40, 15]);
    let [stratum] = &tables.strata[..] else { panic!("one table") };
    let totals: Vec<_> = stratum.rows[2].cells.iter().map(|cell| cell.value.clone()).collect();
    assert_eq!(totals, [60, 45, 105].map(|n| Some(Value::Count(n))));
    let Some(Shown::Association(association)) = &stratum.result else { panic!("no statistics") };
    // 105 (20 15 - 30 40)^2 / (50 55 60 45)
    assert_eq!(association.test.as_ref().unwrap().chi_square, 11.454_5);
    assert_eq!(association.odds_ratio, Some(0.25));
}

#[test]
fn a_patient_in_two_cells_is_refused() {
    let mut made = aggregates(CROSSED);
    let twice = [given(0, &[0, 0], &[]), given(0, &[0, 1], &[])];
    assert_eq!(made.accept(&twice), Err(Malformed::TooMany("c".into())));
}

#[test]
fn ou_1_a_small_stratum_takes_another_with_it() {
    let mut cells: Vec<(&[u32], u64)> = vec![(&[0, 0, 0][..], 3)];
    let (second, third) = (
        [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]],
        [[0, 0, 2], [0, 1, 2], [1, 0, 2], [1, 1, 2]],
    );
    cells.extend(second.iter().map(|keys| (&keys[..], 20)));
    cells.extend(third.iter().map(|keys| (&keys[..], 30)));
    let (tables, evidence) = crossed(&format!("{CROSSED}{STRATUM}"), &cells);
    assert_eq!(tables.strata.iter().map(hidden).collect::<Vec<_>>(), [9, 9, 0]);
    assert!(matches!(tables.strata[1].result, Some(Shown::Withheld(_))));
    assert!(matches!(tables.strata[2].result, Some(Shown::Association(_))));
    assert_eq!(evidence.cell_patients, [3, 20, 30, 0, 20, 30, 0, 20, 30, 0, 20, 30]);
}

fn compared(outputs: &str, people: &[(&[u32], f64, u8)]) -> v1::SurvivalCurve {
    let mut made = aggregates(outputs);
    for (keys, time, event) in people {
        made.accept(&[given(0, keys, &[*time, f64::from(*event)])]).unwrap();
    }
    let (output, _) = made.finish(10).remove(0);
    let Some(Body::Survival(curve)) = output.body else { panic!("not a curve") };
    curve
}

#[test]
fn ou_1_a_comparison_with_a_small_group_is_withheld() {
    let keys: [&[u32]; 2] = [&[0], &[1]];
    let people = |small: u32| {
        let of = |group: usize, n: u32| (0..n).map(move |i| (keys[group], f64::from(i), 1));
        of(0, 30).chain(of(1, small)).collect::<Vec<_>>()
    };
    let shown = compared(COMPARED, &people(10)).comparison;
    assert!(matches!(shown, Some(Comparison::LogRank(_))), "{shown:?}");
    let shown = compared(COMPARED, &people(9)).comparison;
    assert!(matches!(shown, Some(Comparison::LogRankWithheld(_))), "{shown:?}");
    assert_eq!(compared(COMPARED, &people(0)).comparison, None);
}

#[test]
fn strata_of_a_comparison_are_not_printed_but_can_be_traced_by_group() {
    let text = format!("{COMPARED}{STRATUM}");
    let keys: [&[u32]; 3] = [&[0, 0], &[0, 1], &[1, 2]];
    let people: Vec<_> =
        (0..60_usize).map(|i| (keys[i % 3], (i * 7 % 31) as f64, (i % 2) as u8)).collect();
    let curve = compared(&text, &people);
    assert_eq!(curve.stratum_name, "s");
    let groups: Vec<_> = curve.groups.iter().map(|g| (g.key.clone(), g.patients)).collect();
    assert_eq!(groups, [(vec!["x".to_owned()], 40), (vec!["y".to_owned()], 20)]);

    let mut made = aggregates(&text);
    assert!(made.watch("k", &["x".to_owned(), "s".to_owned()]).is_err());
    made.watch("k", &["x".to_owned()]).unwrap();
    let hits: Vec<bool> =
        keys.iter().map(|keys| made.accept(&[given(0, keys, &[1.0, 1.0])]).unwrap()).collect();
    assert_eq!(hits, [true, true, false]);
    assert_eq!(made.finish(10).remove(0).1.cell_patients, [2, 1]);
}

#[test]
fn competing_events_are_those_of_declared_causes() {
    let mut made = aggregates(CAUSES);
    assert!(made.accept(&[given(0, &[], &[1.0, 3.0])]).is_err());
    for i in 0..60_u32 {
        made.accept(&[given(0, &[], &[f64::from(i), f64::from(i % 3)])]).unwrap();
    }
    let (output, evidence) = made.finish(10).remove(0);
    assert_eq!(evidence.cell_patients, [60]);
    let Some(Body::Incidence(curves)) = output.body else { panic!("not incidences") };
    assert_eq!(curves.causes, ["death", "transplant"]);
    let events: Vec<u64> = curves.groups[0].curves.iter().map(|curve| curve.events).collect();
    assert_eq!(events, [20, 20]);
    assert!(curves.groups[0].curves.iter().flat_map(|c| &c.steps).all(|step| step.events >= 10));
}

#[test]
fn ou_1_quantiles_of_few_patients_are_withheld() {
    let quantile = "[[outputs]]\nname = \"q\"\ntitle = \"Q\"\nkind = \"quantile\"\nunit = \"kg\"\n\
        clamp = [0.0, 100.0]\nprobabilities = [0.025, 0.5]\n";
    let mut made = aggregates(quantile);
    for value in 0..31 {
        made.accept(&[given(0, &[], &[f64::from(value)])]).unwrap();
    }
    assert_eq!(
        made.accept(&[given(0, &[], &[1.0]), given(0, &[], &[2.0])]),
        Err(Malformed::Twice("q".into()))
    );
    let (output, evidence) = made.finish(10).remove(0);
    assert_eq!(evidence.cell_patients, [31]);
    let Some(Body::Table(body)) = &output.body else { panic!("not a table") };
    let names: Vec<_> = body.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["patients", "p2.5", "p50"]);
    let row = table(&output).remove(0);
    let few = Value::Suppressed(v1::Suppression::MinCell.into());
    assert_eq!(row, [Some(Value::Count(31)), Some(few), Some(Value::Number(15.0))]);
}
