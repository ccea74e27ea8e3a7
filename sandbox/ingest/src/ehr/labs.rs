use std::collections::BTreeSet;

use sekisho_dataset::dummy::Stream;
use sekisho_dataset::{Draw, Profile};

use super::person::{FIRST_DAY, LAST_DAY, Person, day_between};

/// The laboratory items of the profile with their usual values.
pub(super) struct LabItems {
    items: Vec<Item>,
    hba1c: usize,
}

struct Item {
    code: String,
    weight: f64,
    usual: Usual,
}

enum Usual {
    Number { mean: f64, sd: f64, low: f64, high: f64, decimals: u32, unit: String },
    Finding(Vec<(String, f64)>),
}

/// One laboratory result.
pub(super) struct Lab<'i> {
    pub(super) item: &'i str,
    pub(super) day: i64,
    pub(super) result: LabResult<'i>,
}

/// A number with its unit, or a finding.
pub(super) enum LabResult<'i> {
    Number(f64, &'i str),
    Finding(&'i str),
}

const HBA1C: &str = "HbA1c-NGSP";

impl LabItems {
    /// Reads items, weights, values and units from the profile's `labs` table.
    pub(super) fn of(profile: &Profile) -> Self {
        let draw = |column: &str| {
            let spec = profile.table("labs")?.column(column)?.dummy.as_ref()?;
            Some(&spec.draw)
        };
        let case = |column: &str, item: &str| match draw(column) {
            Some(Draw::PerCode { cases, .. }) => cases.get(item),
            _ => None,
        };
        let mut items = Vec::new();
        if let Some(Draw::Weights(weights)) = draw("item") {
            for (code, weight) in weights {
                let number = case("value", code).zip(case("unit", code)).and_then(number);
                let usual = number.or_else(|| case("result", code).and_then(finding));
                items.extend(usual.map(|usual| Item {
                    code: code.clone(),
                    weight: *weight,
                    usual,
                }));
            }
        }
        let hba1c = items.iter().position(|item| item.code == HBA1C).unwrap_or_default();
        Self { items, hba1c }
    }

    /// Draws some 15 to 60 results of one person, more for diabetics: a few days of
    /// sampling, each item at most once a day, each person around their own mean.
    pub(super) fn draw<'i>(
        &'i self,
        person: &Person,
        stream: &mut Stream,
        mut report: impl FnMut(Lab<'i>),
    ) {
        let extra = if person.diabetic() { 15 } else { 0 };
        let days: Vec<i64> =
            (0..stream.between(3, 6)).map(|_| day_between(FIRST_DAY, LAST_DAY, stream)).collect();
        // What sets a person apart stays the same in all their results.
        let own: Vec<f64> = self.items.iter().map(|_| stream.normal()).collect();
        let mut taken = BTreeSet::new();
        for _ in 0..stream.between(20, 45) + extra {
            let day = days.get(stream.between(0, days.len() as u64 - 1) as usize).copied();
            let often = self.items.iter().map(|item| item.weight);
            taken.extend(day.zip(stream.weighted(often)));
        }
        if stream.chance(0.85) {
            taken.extend(days.first().map(|day| (*day, self.hba1c)));
        }
        for (day, index) in taken {
            let (Some(item), Some(own)) = (self.items.get(index), own.get(index)) else { continue };
            if let Some(result) = item.result(person, *own, stream) {
                report(Lab { item: &item.code, day, result });
            }
        }
    }
}

impl Item {
    fn result(&self, person: &Person, own: f64, stream: &mut Stream) -> Option<LabResult<'_>> {
        match &self.usual {
            Usual::Number { mean, sd, low, high, decimals, unit } => {
                let (mean, sd) = shifted(&self.code, *mean, *sd, person);
                let value = mean + sd * (0.8 * own + 0.6 * stream.normal());
                let scale = 10_f64.powi(*decimals as i32);
                let value = (value.clamp(*low, *high) * scale).round() / scale;
                Some(LabResult::Number(value, unit))
            }
            Usual::Finding(weights) if self.code.starts_with("BLD-") => {
                // A blood group never changes: it hangs on the person alone.
                let mut fixed = Stream::new(own.to_bits(), 0);
                pick(weights, &mut fixed).map(LabResult::Finding)
            }
            Usual::Finding(weights) => {
                let positive = self.code == "HBs" && person.has("B18")
                    || self.code == "U-Glu" && person.diabetic() && stream.chance(0.4);
                let strongest =
                    weights.iter().map(|(finding, _)| finding).find(|f| f.ends_with('+'));
                match strongest.filter(|_| positive) {
                    Some(finding) => Some(LabResult::Finding(finding)),
                    None => pick(weights, stream).map(LabResult::Finding),
                }
            }
        }
    }
}

/// Mean and deviation of an item for this person.
fn shifted(item: &str, mean: f64, sd: f64, person: &Person) -> (f64, f64) {
    let has = |code: &str| person.has(code);
    let (diabetic, male) = (person.diabetic(), person.male);
    match item {
        HBA1C if diabetic => (7.2, 1.0),
        HBA1C => (mean + 0.004 * (person.age() - 50) as f64, sd * 0.8),
        "BG" if diabetic => (mean + 52.0, sd * 2.0),
        "Cre" => {
            let by_sex = if male { 0.12 } else { -0.12 };
            if has("N18") { (mean * 1.9 + by_sex, sd * 2.5) } else { (mean + by_sex, sd) }
        }
        "Cys-C" | "BUN" if has("N18") => (mean * 1.7, sd * 1.8),
        "U-A/C" | "U-P/C" if has("N18") || diabetic => (mean * 4.0, sd * 5.0),
        "UA" if male => (mean + 0.6, sd),
        "LDL-C" | "T-CHO" if has("E78") => (mean + 26.0, sd * 1.2),
        "TG" if has("E78") || diabetic => (mean + 45.0, sd * 1.4),
        "AST" | "ALT" | "GGT" if has("K76") || has("B18") => (mean * 1.8, sd * 1.8),
        "BNP" | "NT-proBNP" if has("I50") => (mean * 12.0, sd * 10.0),
        "BNP" | "NT-proBNP" if has("I48") => (mean * 4.0, sd * 3.0),
        "Hb" => {
            let by_sex = if male { 0.7 } else { -0.7 };
            (mean + by_sex - if has("D50") { 3.0 } else { 0.0 }, sd)
        }
        "CRP" if has("C34") || has("C16") || has("C18") => (mean + 2.5, sd * 12.0),
        "ALB" if person.age() > 75 => (mean - 0.3, sd),
        _ => (mean, sd),
    }
}

fn number((value, unit): (&Draw, &Draw)) -> Option<Usual> {
    let Draw::Normal { mean, sd, low, high, decimals } = value else { return None };
    let Draw::Weights(units) = unit else { return None };
    let unit = units.first()?.0.clone();
    Some(Usual::Number { mean: *mean, sd: *sd, low: *low, high: *high, decimals: *decimals, unit })
}

fn finding(draw: &Draw) -> Option<Usual> {
    match draw {
        Draw::Weights(weights) => Some(Usual::Finding(weights.clone())),
        _ => None,
    }
}

fn pick<'w>(weights: &'w [(String, f64)], stream: &mut Stream) -> Option<&'w str> {
    let index = stream.weighted(weights.iter().map(|(_, weight)| *weight))?;
    weights.get(index).map(|(finding, _)| finding.as_str())
}
