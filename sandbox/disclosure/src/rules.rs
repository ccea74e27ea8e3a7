use sekisho_proto::v1::{Finding, FindingSeverity};

/// What a finding's code means.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable code.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: FindingSeverity,
    /// What to do about it.
    pub advice: &'static str,
}

const fn rule(code: &'static str, severity: FindingSeverity, advice: &'static str) -> Rule {
    Rule { code, severity, advice }
}

/// Every finding there is.
pub const RULES: &[Rule] = &[
    rule(
        "small_cell",
        FindingSeverity::Block,
        "Fewer distinct patients than the minimum cell: withhold the cell or merge it with others.",
    ),
    rule(
        "small_statistic",
        FindingSeverity::Block,
        "A statistic over fewer patients than the minimum cell: withhold it with the row's count.",
    ),
    rule(
        "small_step",
        FindingSeverity::Block,
        "A step of the curve holds fewer events than the minimum cell: merge steps.",
    ),
    rule(
        "few_patients",
        FindingSeverity::Block,
        "The whole output stands on fewer patients than the minimum cell: it must not leave.",
    ),
    rule(
        "few_degrees",
        FindingSeverity::Block,
        "Fewer residual degrees of freedom than the minimum cell: a model with nearly as many \
         terms as patients gives single values away. Fit fewer terms.",
    ),
    rule(
        "differencing",
        FindingSeverity::Block,
        "A total minus the other rows gives a count below the minimum cell: withhold the total \
         or a second row (secondary suppression).",
    ),
    rule(
        "single_withheld",
        FindingSeverity::Warning,
        "One row alone is withheld: whoever knows the total can derive it. Make sure that no \
         release gives the total, or withhold a second row.",
    ),
    rule(
        "small_count",
        FindingSeverity::Warning,
        "A small count of something other than patients: fewer patients may stand behind it.",
    ),
    rule(
        "few_events",
        FindingSeverity::Warning,
        "Fewer events than the minimum cell: what is estimated from them points at few patients.",
    ),
    rule(
        "statistic_without_patients",
        FindingSeverity::Warning,
        "A statistic stands in a row whose count of patients is zero, missing or withheld: ask \
         what it is computed from.",
    ),
    rule(
        "no_patient_count",
        FindingSeverity::Warning,
        "The table has no count of distinct patients: the minimum cell cannot be checked.",
    ),
    rule(
        "text_output",
        FindingSeverity::Warning,
        "Free text: read every word; it must not hold values of single patients.",
    ),
    rule(
        "empty_output",
        FindingSeverity::Warning,
        "The output has no content: ask for it to be dropped.",
    ),
    rule(
        "zero_cell",
        FindingSeverity::Note,
        "A true zero: weigh whether it says something about everyone in a group.",
    ),
    rule(
        "excess_precision",
        FindingSeverity::Note,
        "More than four significant digits: rounding makes differencing harder and loses nothing.",
    ),
    rule(
        "not_host_verified",
        FindingSeverity::Note,
        "The counts are the module's own claims; the host did not count these patients itself.",
    ),
];

/// Most findings of one code that are listed one by one.
const MOST_OF_A_CODE: usize = 50;

/// Collects findings and keeps a flood of one kind from hiding the others.
#[derive(Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn add(&mut self, code: &'static str, location: impl Into<String>) {
        let Some(rule) = RULES.iter().find(|rule| rule.code == code) else { return };
        let before = self.0.iter().filter(|f| f.code == code).count();
        if before > MOST_OF_A_CODE {
            return;
        }
        let location = if before == MOST_OF_A_CODE {
            "and more of the same".to_owned()
        } else {
            location.into()
        };
        self.0.push(Finding {
            code: code.to_owned(),
            severity: rule.severity.into(),
            location,
            advice: rule.advice.to_owned(),
        });
    }

    pub(crate) fn finish(self) -> Vec<Finding> {
        self.0
    }
}

/// A number of distinct patients against the minimum cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Zero,
    Small,
    Enough,
}

pub(crate) fn judge(patients: u64, least: u64) -> Judged {
    match patients {
        0 => Judged::Zero,
        n if n < least => Judged::Small,
        _ => Judged::Enough,
    }
}
