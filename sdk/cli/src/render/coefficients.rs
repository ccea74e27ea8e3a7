//! Coefficients of a regression: one line a term, then what the model stands on.

use sekisho_proto::v1::{Coefficient, CoefficientScale, Coefficients};

use super::printable;
use crate::screen::table;

/// The terms in declared order, with ratios where the scale has them.
pub(super) fn draw(body: &Coefficients) -> String {
    let (what, ratio) = match body.scale() {
        CoefficientScale::LogOdds => ("log odds", Some("odds ratio")),
        CoefficientScale::LogHazard => ("log hazard", Some("hazard ratio")),
        CoefficientScale::Identity | CoefficientScale::Unspecified => ("estimate", None),
    };
    let mut header = vec!["term", what, "s.e.", "95 % interval", "p"];
    header.extend(ratio.into_iter().flat_map(|ratio| [ratio, "95 % interval"]));
    let right: Vec<usize> = (1..header.len()).collect();
    let mut rows = table(&header, &right);
    for one in &body.coefficients {
        rows.add_row(line(one, ratio.is_some()));
    }
    format!("{}\n{}", rows.trim_fmt(), basis(body))
}

fn line(one: &Coefficient, ratios: bool) -> Vec<String> {
    let mut cells = vec![
        printable(&one.term),
        digits(one.estimate),
        digits(one.standard_error),
        interval(one.lower, one.upper),
        one.p_value.map_or_else(nothing, p_value),
    ];
    if ratios {
        cells.extend([digits(one.ratio), interval(one.ratio_lower, one.ratio_upper)]);
    }
    cells
}

fn basis(body: &Coefficients) -> String {
    let events = body.events.map_or_else(String::new, |events| format!(", {events} events"));
    format!(
        "{}: {} patients{events}, {} residual degrees of freedom",
        printable(&body.model),
        body.patients,
        body.residual_degrees_of_freedom
    )
}

fn nothing() -> String {
    "–".to_owned()
}

fn interval(lower: Option<f64>, upper: Option<f64>) -> String {
    match (lower, upper) {
        (None, None) => nothing(),
        (lower, upper) => format!("{} – {}", digits(lower), digits(upper)),
    }
}

/// At most four significant digits: coefficients may be far below one.
fn digits(value: Option<f64>) -> String {
    let Some(value) = value else { return nothing() };
    let rounded = format!("{value:.3e}").parse().unwrap_or(value);
    if rounded == 0.0 || (1e-4..1e7).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

/// As papers print it.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(label: &str, estimate: f64, ratio: Option<f64>) -> Coefficient {
        Coefficient {
            term: label.to_owned(),
            estimate: Some(estimate),
            standard_error: Some(0.009_267_41),
            lower: Some(-0.881_376),
            upper: Some(-0.223_845),
            p_value: Some(0.000_986),
            ratio,
            ratio_lower: ratio,
            ratio_upper: ratio,
        }
    }

    #[test]
    fn every_term_has_a_line_with_its_ratio() {
        let missing = Coefficient { term: "site".to_owned(), ..Coefficient::default() };
        let text = draw(&Coefficients {
            model: "Cox".to_owned(),
            scale: CoefficientScale::LogHazard.into(),
            patients: 227,
            events: Some(164),
            residual_degrees_of_freedom: 162,
            coefficients: vec![term("sex", -0.552_61, Some(0.575_445)), missing],
        });
        for part in ["hazard ratio", "-0.5526", "0.5754", "-0.8814 – -0.2238", "0.0010", "0.009267"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("Cox: 227 patients, 164 events, 162 residual"), "{text}");
    }

    #[test]
    fn the_identity_scale_has_no_ratios() {
        let text = draw(&Coefficients {
            scale: CoefficientScale::Identity.into(),
            coefficients: vec![term("age", 1.234_56e-9, None)],
            ..Coefficients::default()
        });
        assert!(!text.contains("ratio"), "{text}");
        assert!(text.contains("1.235e-9"), "{text}");
    }
}
