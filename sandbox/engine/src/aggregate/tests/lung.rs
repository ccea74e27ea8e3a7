//! The public lung data against the figures of R.

use sekisho_proto::v1::survival_curve::Comparison;

use super::*;

/// The columns asked for, row by row.
fn lung<const N: usize>(columns: [&str; N]) -> Vec<[f64; N]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/lung.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = columns.map(|name| header.iter().position(|known| known == name).unwrap());
    reader.records().map(|row| at.map(|at| row.as_ref().unwrap()[at].parse().unwrap())).collect()
}

const AGE: &str = "[[outputs]]\nname = \"age\"\ntitle = \"A\"\nkind = \"quantile\"\nunit = \"year\"\n\
    clamp = [0.0, 120.0]\nprobabilities = [0.25, 0.5, 0.75]\n";

fn quartiles(min_cell: u32) -> [f64; 3] {
    let mut made = aggregates(AGE);
    for [age] in lung(["age"]) {
        made.accept(&[given(0, &[], &[age])]).unwrap();
    }
    let row = table(&made.finish(min_cell).remove(0).0).remove(0);
    let number = |at: usize| match row[at] {
        Some(Value::Number(number)) => number,
        ref other => panic!("{other:?}"),
    };
    [number(1), number(2), number(3)]
}

// R: summary(lung$age) gives 56, 63 and 69.
#[test]
fn quartiles_of_age_are_near_those_of_r() {
    // A minimum of one patient gives the nearest value itself.
    assert_eq!(quartiles(1), [56.0, 63.0, 69.0]);
    for (found, exact) in quartiles(10).into_iter().zip([56.0, 63.0, 69.0]) {
        assert!((found - exact).abs() <= 0.5, "{found} is not near {exact}");
    }
    // By hand: ranks 53 to 62, 110 to 119 and 167 to 176 of 228.
    let mut ages: Vec<f64> = lung(["age"]).into_iter().map(|[age]| age).collect();
    ages.sort_by(f64::total_cmp);
    let mean = |ranks: &[f64]| round(ranks.iter().sum::<f64>() / ranks.len() as f64);
    let expected = [mean(&ages[52..62]), mean(&ages[109..119]), mean(&ages[166..176])];
    assert_eq!(quartiles(10), expected);
}

const BY_SEX: &str = "[[outputs]]\nname = \"k\"\ntitle = \"K\"\nkind = \"survival\"\nunit = \"day\"\n\
    compare = true\nkeys = [{ name = \"sex\", labels = [\"male\", \"female\"] }]\n";

// R: survdiff(Surv(time, status) ~ sex, lung) gives 10.3 on 1 degree of freedom, p 0.001.
#[test]
fn survival_by_sex_differs_as_survdiff_has_it() {
    let mut made = aggregates(BY_SEX);
    for [time, status, sex] in lung(["time", "status", "sex"]) {
        let sex = u32::from(sex == 2.0);
        made.accept(&[given(0, &[sex], &[time, status - 1.0])]).unwrap();
    }
    let (output, _) = made.finish(10).remove(0);
    let Some(Body::Survival(curve)) = output.body else { panic!("not a curve") };
    let Some(Comparison::LogRank(test)) = curve.comparison else { panic!("no test") };
    assert_eq!((test.chi_square, test.degrees_of_freedom), (10.326_7, 1));
    assert_eq!(test.p_value, 0.001_311_16);
}
