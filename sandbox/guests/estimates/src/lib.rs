//! Fits a mean by site and follows patients over their visits, then gets wrong what the
//! parameter says. Stopped by: the host's checks of emitted estimates.

use sekisho_analysis::{Coefficient, Fit, Moment};

sekisho_analysis::analysis!("analysis.toml");

/// Site, first weight and number of visits of each patient.
#[derive(Clone, Copy, Default)]
struct Person {
    site: u32,
    weight: Option<f64>,
    visits: u32,
}

fn run(view: &View, parameters: &Parameters, out: &mut Outputs) -> Result<(), String> {
    let people = people(view);
    out.weight = fit(&people);
    out.visits = (0..view.visits_site_codes().len() as u32)
        .map(|site| VisitsCurve { site, moments: moments(&people, site) })
        .collect();
    spoil(&parameters.behaviour, out);
    Ok(())
}

fn people(view: &View) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for batch in view.visits() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            let at = patient as usize;
            if people.len() <= at {
                people.resize(at + 1, Person::default());
            }
            let person = &mut people[at];
            person.visits += 1;
            person.site = batch.site.get(row).unwrap_or(person.site);
            person.weight = person.weight.or(batch.weight.get(row));
        }
    }
    people
}

/// Least squares of the weight on the site: two means and a pooled variance.
fn fit(people: &[Person]) -> Fit {
    let of = |site: u32| {
        let of_site = people.iter().filter(move |p| p.site == site);
        of_site.filter_map(|p| p.weight).collect::<Vec<f64>>()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (east, west) = (of(0), of(1));
    let squares = |values: &[f64]| {
        let middle = mean(values);
        values.iter().map(|v| (v - middle).powi(2)).sum::<f64>()
    };
    let (m, n) = (east.len() as f64, west.len() as f64);
    let variance = (squares(&east) + squares(&west)) / (m + n - 2.0);
    Fit {
        patients: (east.len() + west.len()) as u64,
        events: None,
        coefficients: vec![
            Coefficient {
                term: 1,
                estimate: mean(&west) - mean(&east),
                standard_error: (variance * (1.0 / m + 1.0 / n)).sqrt(),
            },
            Coefficient { term: 0, estimate: mean(&east), standard_error: (variance / m).sqrt() },
        ],
    }
}

/// A patient whose number of visits is even has the event at the last, others leave there.
fn moments(people: &[Person], site: u32) -> Vec<Moment> {
    let of_site = || people.iter().filter(|p| p.site == site);
    let mut at_risk = of_site().count() as u64;
    let at = |visits: u32| {
        let gone = of_site().filter(|p| p.visits == visits).count() as u64;
        let (events, censored) = if visits.is_multiple_of(2) { (gone, 0) } else { (0, gone) };
        let moment = Moment { time: f64::from(visits), at_risk, events, censored };
        at_risk -= gone;
        moment
    };
    (1..=4).map(at).collect()
}

fn spoil(behaviour: &str, out: &mut Outputs) {
    let (terms, curves) = (&mut out.weight.coefficients, &mut out.visits);
    match behaviour {
        "unknown_term" => terms[0].term = 3,
        "term_twice" => terms[0].term = 0,
        "not_a_number" => terms[0].estimate = f64::NAN,
        "no_error" => terms[0].standard_error = 0.0,
        "events_on_identity" => out.weight.events = Some(10),
        "patients_above_view" => out.weight.patients = 1_000_000,
        "group_twice" => curves[1].site = 0,
        "another_key" => curves[1].site = 2,
        "falling_time" => curves[0].moments[1].time = 0.5,
        "revived" => curves[0].moments[3].at_risk += 1,
        "curve_above_view" => {
            curves[0].moments =
                vec![Moment { time: 1.0, at_risk: 1_000_000, events: 500_000, censored: 0 }]
        }
        _ => {}
    }
}
