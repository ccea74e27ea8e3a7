//! Two keys against each other, with totals, then how far they go together.

use sekisho_proto::v1::contingency_stratum::Result as Shown;
use sekisho_proto::v1::{Association, Contingency, ContingencyStratum};

use super::{chi_square, draw_cell, number, printable};
use crate::screen::table;

/// One table after the other.
pub(super) fn draw(body: &Contingency) -> String {
    let drawn: Vec<String> = body.strata.iter().map(|one| draw_stratum(body, one)).collect();
    drawn.join("\n")
}

fn draw_stratum(body: &Contingency, stratum: &ContingencyStratum) -> String {
    let corner = format!("{} \\ {}", printable(&body.row_name), printable(&body.column_name));
    let columns: Vec<String> = body.column_labels.iter().map(|label| printable(label)).collect();
    let mut header = vec![corner.as_str()];
    header.extend(columns.iter().map(String::as_str).chain(["total"]));
    let right: Vec<usize> = (1..header.len()).collect();
    let mut rows = table(&header, &right);
    let labels = body.row_labels.iter().map(|label| printable(label));
    for (label, row) in labels.chain(["total".to_owned()]).zip(&stratum.rows) {
        let mut cells = vec![label];
        cells.extend(row.cells.iter().map(draw_cell));
        rows.add_row(cells);
    }
    let mut lines = Vec::new();
    if !body.stratum_name.is_empty() {
        lines.push(format!("{}: {}", printable(&body.stratum_name), printable(&stratum.label)));
    }
    lines.push(rows.trim_fmt());
    lines.extend(stratum.result.as_ref().map(|shown| match shown {
        Shown::Association(association) => describe(association),
        Shown::Withheld(_) => "statistics: withheld".to_owned(),
    }));
    lines.join("\n")
}

fn describe(association: &Association) -> String {
    let mut parts = Vec::new();
    parts.extend(association.test.as_ref().map(|test| chi_square("association", test)));
    parts.push(format!("Cramér's V {}", number(association.cramers_v)));
    if let (Some(odds), Some(lower), Some(upper)) =
        (association.odds_ratio, association.odds_ratio_lower, association.odds_ratio_upper)
    {
        let (odds, lower, upper) = (number(odds), number(lower), number(upper));
        parts.push(format!("odds ratio {odds}, 95 % interval {lower} – {upper}"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use sekisho_proto::v1::cell::Value;
    use sekisho_proto::v1::{Cell, ChiSquareTest, Suppression, TableRow};

    use super::*;

    fn stratum(label: &str, result: Shown) -> ContingencyStratum {
        let row = |counts: [i64; 3]| TableRow {
            cells: counts
                .map(|count| match count {
                    -1 => Value::Suppressed(Suppression::Secondary.into()),
                    count => Value::Count(count),
                })
                .map(|value| Cell { value: Some(value) })
                .to_vec(),
        };
        ContingencyStratum {
            label: label.to_owned(),
            rows: vec![row([20, 30, 50]), row([40, -1, -1]), row([60, -1, -1])],
            result: Some(result),
        }
    }

    #[test]
    fn tables_have_totals_and_what_goes_with_them() {
        let association = Association {
            test: Some(ChiSquareTest {
                chi_square: 15.27,
                degrees_of_freedom: 1,
                p_value: 0.000_093,
            }),
            cramers_v: 0.381,
            odds_ratio: Some(0.25),
            odds_ratio_lower: Some(0.111),
            odds_ratio_upper: Some(0.5),
        };
        let labels = |labels: [&str; 2]| labels.map(str::to_owned).to_vec();
        let text = draw(&Contingency {
            row_name: "sex".to_owned(),
            row_labels: labels(["male", "female"]),
            column_name: "smoker".to_owned(),
            column_labels: labels(["yes", "no"]),
            stratum_name: "site".to_owned(),
            strata: vec![
                stratum("east", Shown::Association(association)),
                stratum("west", Shown::Withheld(Suppression::Secondary.into())),
            ],
        });
        for part in [
            "site: east",
            "sex \\ smoker",
            "[secondary]",
            "chi-square 15.27 on 1 degrees of freedom, p < 0.0001",
            "Cramér's V 0.381; odds ratio 0.25, 95 % interval 0.111 – 0.5",
            "statistics: withheld",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("total").count(), 4);
    }
}
