use sekisho_dataset::dummy::Stream;

/// Last day of the record: 2024-12-31, in days since 1970-01-01.
pub(super) const LAST_DAY: i64 = 20_088;
/// First day with results and prescriptions: 2015-01-01.
pub(super) const FIRST_DAY: i64 = 16_436;
const LAST_YEAR: i64 = 2024;

/// A condition: how common it is at two ages (straight in between, level outside), how much
/// more common in men, and what is taken for it.
struct Condition {
    code: &'static str,
    young: (i64, f64),
    old: (i64, f64),
    men: f64,
    women: f64,
    /// Made likelier by diabetes.
    follows_diabetes: bool,
    /// Drugs, each with the share of people with the condition who take it.
    drugs: &'static [(&'static str, f64)],
}

const DIABETES: &str = "E11";

#[rustfmt::skip]
const CONDITIONS: &[Condition] = &[
    // Diabetes stands first: others look back at it.
    Condition { code: DIABETES, young: (30, 0.01), old: (70, 0.20), men: 1.3, women: 0.75, follows_diabetes: false, drugs: &[("A10BA02", 0.5), ("A10BH01", 0.55), ("A10AE04", 0.12)] },
    Condition { code: "I10", young: (30, 0.03), old: (75, 0.55), men: 1.1, women: 0.9, follows_diabetes: true, drugs: &[("C08CA01", 0.6), ("C09CA01", 0.4)] },
    Condition { code: "E78", young: (30, 0.05), old: (65, 0.35), men: 0.95, women: 1.05, follows_diabetes: true, drugs: &[("C10AA05", 0.35), ("C10AA07", 0.35)] },
    Condition { code: "N18", young: (40, 0.01), old: (80, 0.18), men: 1.1, women: 0.9, follows_diabetes: true, drugs: &[("C09CA01", 0.4), ("C03CA01", 0.15)] },
    Condition { code: "I25", young: (40, 0.01), old: (80, 0.14), men: 1.4, women: 0.6, follows_diabetes: true, drugs: &[("B01AC06", 0.8), ("C07AB07", 0.5)] },
    Condition { code: "I48", young: (50, 0.01), old: (85, 0.10), men: 1.3, women: 0.7, follows_diabetes: false, drugs: &[("B01AF02", 0.75), ("C07AB07", 0.4)] },
    Condition { code: "I50", young: (50, 0.01), old: (85, 0.12), men: 1.1, women: 0.9, follows_diabetes: true, drugs: &[("C03CA01", 0.7), ("C07AB07", 0.5)] },
    Condition { code: "I63", young: (50, 0.01), old: (85, 0.08), men: 1.2, women: 0.8, follows_diabetes: true, drugs: &[("B01AC06", 0.7)] },
    Condition { code: "J45", young: (20, 0.07), old: (80, 0.05), men: 0.9, women: 1.1, follows_diabetes: false, drugs: &[("R03AK06", 0.8)] },
    Condition { code: "J44", young: (45, 0.01), old: (80, 0.09), men: 1.6, women: 0.4, follows_diabetes: false, drugs: &[("R03BB04", 0.7), ("R03AK06", 0.4)] },
    Condition { code: "K21", young: (25, 0.05), old: (75, 0.16), men: 1.0, women: 1.0, follows_diabetes: false, drugs: &[("A02BC03", 0.85)] },
    Condition { code: "K76", young: (25, 0.06), old: (60, 0.16), men: 1.3, women: 0.7, follows_diabetes: true, drugs: &[] },
    Condition { code: "M54", young: (20, 0.08), old: (80, 0.22), men: 0.95, women: 1.05, follows_diabetes: false, drugs: &[("M01AE", 0.6)] },
    Condition { code: "M81", young: (50, 0.02), old: (85, 0.25), men: 0.25, women: 1.75, follows_diabetes: false, drugs: &[("M05BA04", 0.6)] },
    Condition { code: "N40", young: (50, 0.03), old: (80, 0.25), men: 2.0, women: 0.0, follows_diabetes: false, drugs: &[("G04CA02", 0.7)] },
    Condition { code: "F32", young: (20, 0.06), old: (80, 0.05), men: 0.8, women: 1.2, follows_diabetes: false, drugs: &[("N06AB06", 0.7)] },
    Condition { code: "E03", young: (30, 0.02), old: (80, 0.05), men: 0.4, women: 1.6, follows_diabetes: false, drugs: &[("H03AA01", 0.8)] },
    Condition { code: "D50", young: (20, 0.06), old: (60, 0.03), men: 0.3, women: 1.7, follows_diabetes: false, drugs: &[("B03AA07", 0.8)] },
    Condition { code: "B18", young: (40, 0.005), old: (80, 0.03), men: 1.1, women: 0.9, follows_diabetes: false, drugs: &[("J05AF10", 0.4)] },
    Condition { code: "C16", young: (45, 0.002), old: (85, 0.02), men: 1.4, women: 0.6, follows_diabetes: false, drugs: &[("L01XE", 0.3)] },
    Condition { code: "C18", young: (45, 0.002), old: (85, 0.02), men: 1.2, women: 0.8, follows_diabetes: false, drugs: &[("L01XE", 0.3)] },
    Condition { code: "C34", young: (45, 0.001), old: (85, 0.018), men: 1.5, women: 0.5, follows_diabetes: false, drugs: &[("L01XE", 0.4)] },
];

/// One invented patient.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) birth_year: i64,
    pub(super) male: bool,
    /// Conditions with the day each began.
    pub(super) conditions: Vec<(&'static str, i64)>,
}

impl Person {
    /// Invents a person; the stream goes on with what happens to them.
    pub(super) fn invent(seed: u64, number: u32) -> (Self, Stream) {
        let mut stream = Stream::new(seed, u64::from(number));
        let male = stream.chance(0.48);
        // More people of middle and higher age, as in hospitals.
        let band = stream.weighted([6.0, 8.0, 12.0, 17.0, 19.0, 21.0, 13.0].into_iter());
        let age = 18 + 11 * band.unwrap_or_default() as i64 + stream.between(0, 10) as i64;
        let mut person = Self { birth_year: LAST_YEAR - age, male, conditions: Vec::new() };
        for condition in CONDITIONS {
            if stream.chance(person.probability(condition)) {
                let day = person.onset(&mut stream);
                person.conditions.push((condition.code, day));
            }
        }
        (person, stream)
    }

    pub(super) fn age(&self) -> i64 {
        LAST_YEAR - self.birth_year
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.conditions.iter().any(|(own, _)| *own == code)
    }

    pub(super) fn diabetic(&self) -> bool {
        self.has(DIABETES)
    }

    /// Hands on every prescription: drug, first day, days supplied.
    pub(super) fn prescriptions(
        &self,
        stream: &mut Stream,
        mut prescribe: impl FnMut(&'static str, i64, i64),
    ) {
        let known = CONDITIONS.iter().filter_map(|condition| {
            let own = self.conditions.iter().find(|(code, _)| *code == condition.code);
            own.map(|(_, onset)| (condition, *onset))
        });
        for (condition, onset) in known {
            for (drug, share) in condition.drugs {
                if !stream.chance(*share) {
                    continue;
                }
                let first = onset.max(FIRST_DAY);
                for _ in 0..stream.between(1, 4) {
                    let days = [14, 28, 30, 56, 84];
                    let pick = stream.between(0, days.len() as u64 - 1) as usize;
                    prescribe(
                        drug,
                        day_between(first, LAST_DAY, stream),
                        days.get(pick).copied().unwrap_or(28),
                    );
                }
            }
        }
    }

    fn probability(&self, condition: &Condition) -> f64 {
        let ((from, low), (to, high)) = (condition.young, condition.old);
        let along = (self.age() - from) as f64 / (to - from) as f64;
        let by_age = low + (high - low) * along.clamp(0.0, 1.0);
        let by_sex = if self.male { condition.men } else { condition.women };
        let by_diabetes = if condition.follows_diabetes && self.diabetic() { 1.6 } else { 1.0 };
        (by_age * by_sex * by_diabetes).min(0.95)
    }

    /// A day between the person's eighteenth year, or 2005, and the end of the record.
    fn onset(&self, stream: &mut Stream) -> i64 {
        let adult = (self.birth_year + 18 - 1970) * 365;
        let first = adult.max(FIRST_DAY - 10 * 365);
        day_between(first.min(LAST_DAY - 365), LAST_DAY, stream)
    }
}

pub(super) fn day_between(first: i64, last: i64, stream: &mut Stream) -> i64 {
    first + stream.between(0, (last - first).max(0) as u64) as i64
}
