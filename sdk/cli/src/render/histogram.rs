//! Histograms as horizontal bars, one block per series.

use sekisho_proto::v1::{Histogram, HistogramSeries};

use super::{key, number};

const WIDTH: u64 = 40;
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Bars scaled to the largest bin of all series.
pub(super) fn draw(body: &Histogram) -> String {
    let largest = body
        .series
        .iter()
        .flat_map(|series| series.patients.iter().chain([&series.below, &series.above]))
        .max()
        .copied()
        .unwrap_or(0);
    let labels = labels(body);
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for series in &body.series {
        lines.push(format!("{} (patients)", key(&series.key)));
        for (label, patients) in labels.iter().zip(bins(series)) {
            lines.push(format!("  {label:>width$} {} {patients}", bar(patients, largest)));
        }
    }
    lines.join("\n")
}

/// One label for "below", each bin and "above".
fn labels(body: &Histogram) -> Vec<String> {
    let unit = match body.unit.as_str() {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let below = body.edges.first().map(|edge| format!("< {}", number(*edge)));
    let above = body.edges.last().map(|edge| format!("≥ {}{unit}", number(*edge)));
    let inner = body.edges.iter().zip(body.edges.iter().skip(1));
    let inner = inner.map(|(low, high)| format!("{} – {}", number(*low), number(*high)));
    below.into_iter().chain(inner).chain(above).collect()
}

fn bins(series: &HistogramSeries) -> impl Iterator<Item = u64> {
    std::iter::once(series.below).chain(series.patients.iter().copied()).chain([series.above])
}

/// Length proportional to `patients / largest`, in eighths of a character.
fn bar(patients: u64, largest: u64) -> String {
    if largest == 0 {
        return String::new();
    }
    let eighths = u128::from(patients) * u128::from(WIDTH) * 8 / u128::from(largest);
    let eighths = usize::try_from(eighths).unwrap_or(usize::MAX);
    let mut text = "█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1).and_then(|rest| EIGHTHS.get(rest)) {
        text.push(*rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_and_every_bin_has_a_label() {
        let text = draw(&Histogram {
            unit: "%".to_owned(),
            edges: vec![4.0, 6.0, 8.0],
            series: vec![HistogramSeries {
                key: vec!["female".to_owned()],
                patients: vec![100, 50],
                below: 0,
                above: 25,
            }],
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[2].contains("4 – 6"), "{text}");
        let length = |line: &str| line.matches('█').count();
        assert_eq!(length(lines[2]), 40);
        assert_eq!(length(lines[3]), 20);
        assert_eq!(length(lines[4]), 10);
        assert!(lines[4].contains("≥ 8 %"), "{text}");
    }

    #[test]
    fn no_patients_draw_no_bar() {
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(1, 320), "▏");
    }
}
