//! Kaplan-Meier curves as stepped lines over a character grid, with a legend.

use sekisho_proto::v1::survival_curve::Comparison;
use sekisho_proto::v1::{SurvivalCurve, SurvivalGroup};

use super::{chi_square, key, number, printable};
use crate::screen::table;

const COLUMNS: usize = 64;
const ROWS: usize = 20;
const MARKS: [char; 8] = ['━', '╌', '•', '×', '+', 'o', '~', '='];
const OVERLAP: char = '#';

/// The curve, then one line per group with medians.
pub(super) fn draw(body: &SurvivalCurve) -> String {
    let end = body
        .groups
        .iter()
        .flat_map(|group| &group.steps)
        .map(|step| step.time)
        .fold(0.0_f64, f64::max);
    let mut lines = Vec::new();
    if end > 0.0 {
        lines.extend(grid(body, end));
        lines.push(axis(end, &body.time_unit));
    }
    lines.push(legend(body).trim_fmt());
    lines.extend(comparison(body));
    lines.push(format!("each step holds at least {} events", body.events_per_step));
    lines.join("\n")
}

fn comparison(body: &SurvivalCurve) -> Option<String> {
    let name = match body.stratum_name.as_str() {
        "" => "log-rank test".to_owned(),
        stratum => format!("log-rank test, stratified by {}", printable(stratum)),
    };
    Some(match body.comparison.as_ref()? {
        Comparison::LogRank(test) => chi_square(&name, test),
        Comparison::LogRankWithheld(_) => format!("{name}: withheld"),
    })
}

fn grid(body: &SurvivalCurve, end: f64) -> Vec<String> {
    let mut cells = vec![vec![' '; COLUMNS]; ROWS + 1];
    for (group, mark) in body.groups.iter().zip(MARKS.iter().cycle()) {
        for (column, row) in trace(group, end) {
            let Some(cell) = cells.get_mut(row).and_then(|line| line.get_mut(column)) else {
                continue;
            };
            *cell = match *cell {
                ' ' => *mark,
                other if other == *mark => other,
                _ => OVERLAP,
            };
        }
    }
    let draw = |(row, line): (usize, Vec<char>)| {
        let line: String = line.into_iter().collect();
        let label = if row.is_multiple_of(ROWS / 4) {
            format!("{:>4} %", 100 - row * 100 / ROWS)
        } else {
            " ".repeat(6)
        };
        format!("{label} │{}", line.trim_end())
    };
    cells.into_iter().enumerate().map(draw).collect()
}

/// The cells one group's curve passes, row 0 being 100 %. Falls are drawn too.
fn trace(group: &SurvivalGroup, end: f64) -> Vec<(usize, usize)> {
    let mut path = Vec::new();
    let mut row = 0;
    let last = group.steps.last().map_or(0.0, |step| step.time);
    for column in 0..COLUMNS {
        let time = end * as_f64(column) / as_f64(COLUMNS - 1);
        if time > last {
            break;
        }
        let reached = group
            .steps
            .iter()
            .rev()
            .find(|step| step.time <= time)
            .map_or(1.0, |step| step.survival);
        let next = row_of(reached);
        path.extend((row..=next.max(row)).map(|row| (column, row)));
        row = next;
    }
    path
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to 0..=ROWS before the cast"
)]
fn row_of(survival: f64) -> usize {
    ((1.0 - survival) * ROWS as f64).round().clamp(0.0, ROWS as f64) as usize
}

#[allow(clippy::cast_precision_loss, reason = "column numbers are far below 2^52")]
fn as_f64(column: usize) -> f64 {
    column as f64
}

fn axis(end: f64, unit: &str) -> String {
    let quarter = COLUMNS / 4;
    let mut labels = format!("{:7}0", "");
    for part in 1..=4 {
        let label = format!("{:.0}", end * as_f64(part) / 4.0);
        let target = 7 + quarter * part;
        let pad = target.saturating_sub(labels.chars().count() + label.len() / 2);
        labels.push_str(&" ".repeat(pad));
        labels.push_str(&label);
    }
    format!("{:6} └{}\n{labels} {}", "", "─".repeat(COLUMNS), printable(unit))
}

fn legend(body: &SurvivalCurve) -> comfy_table::Table {
    let names = key(&body.key_names);
    let unit = format!("median [{}]", printable(&body.time_unit));
    let mut rows = table(&["", &names, "patients", "events", &unit, "95 % interval"], &[2, 3, 4]);
    for (group, mark) in body.groups.iter().zip(MARKS.iter().cycle()) {
        let limit = |value: Option<f64>| value.map_or_else(|| "not reached".to_owned(), number);
        rows.add_row([
            mark.to_string().repeat(2),
            key(&group.key),
            group.patients.to_string(),
            group.events.to_string(),
            limit(group.median),
            format!("{} – {}", limit(group.median_lower), limit(group.median_upper)),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use sekisho_proto::v1::{ChiSquareTest, SurvivalStep};

    use super::*;

    fn group(name: &str, steps: &[(f64, f64)]) -> SurvivalGroup {
        let step = |(time, survival): &(f64, f64)| SurvivalStep {
            time: *time,
            survival: *survival,
            ..SurvivalStep::default()
        };
        SurvivalGroup {
            key: vec![name.to_owned()],
            patients: 90,
            events: 53,
            median: Some(426.0),
            median_lower: Some(348.0),
            median_upper: None,
            steps: steps.iter().map(step).collect(),
        }
    }

    #[test]
    fn a_curve_starts_at_one_falls_at_its_steps_and_never_rises() {
        let steps = [(250.0, 0.75), (500.0, 0.5), (1000.0, 0.25)];
        let path = trace(&group("f", &steps), 1000.0);
        assert_eq!(path.first(), Some(&(0, 0)));
        assert!(path.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        let at = |column: usize| {
            let rows = path.iter().filter(|(c, _)| *c == column);
            rows.map(|(_, row)| *row).max()
        };
        assert_eq!(at(10), Some(0));
        assert_eq!(at(20), Some(5));
        assert_eq!(at(40), Some(10));
        assert_eq!(at(63), Some(15));
    }

    #[test]
    fn the_drawing_has_both_groups_a_scale_and_the_medians() {
        let text = draw(&SurvivalCurve {
            time_unit: "day".to_owned(),
            key_names: vec!["sex".to_owned()],
            groups: vec![
                group("female", &[(300.0, 0.7), (800.0, 0.3)]),
                group("male", &[(200.0, 0.6), (600.0, 0.2)]),
            ],
            events_per_step: 10,
            stratum_name: "site".to_owned(),
            comparison: Some(Comparison::LogRank(ChiSquareTest {
                chi_square: 10.3267,
                degrees_of_freedom: 1,
                p_value: 0.001_31,
            })),
        });
        let test = "stratified by site: chi-square 10.3267 on 1 degrees of freedom, p 0.0013";
        assert!(text.contains(test), "{text}");
        assert!(text.contains("100 % │"), "{text}");
        assert!(text.contains('━') && text.contains('╌'), "{text}");
        assert!(text.contains("348 – not reached"), "{text}");
        assert!(text.contains("at least 10 events"), "{text}");
        assert!(text.contains("800 day"), "{text}");
    }

    #[test]
    fn a_curve_without_steps_is_only_a_legend() {
        let text = draw(&SurvivalCurve {
            time_unit: "day".to_owned(),
            key_names: Vec::new(),
            groups: vec![group("all", &[])],
            events_per_step: 10,
            ..SurvivalCurve::default()
        });
        assert!(!text.contains('│'), "{text}");
        assert!(text.contains("426"), "{text}");
    }
}
