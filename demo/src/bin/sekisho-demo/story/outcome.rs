//! Step 8: the released results, compared with what was published.

use anyhow::Context as _;
use sekisho_demo::site::StageName;
use serde_json::Value;

use super::{Story, text};

/// Median and 95 % limits in days, with patients and events, as R's survival package gives
/// them for its data set lung with conf.type = "log": survfit(Surv(time, status) ~ 1), and
/// ~ sex.
const PUBLISHED: [(&str, &str, u64, u64, f64, f64, f64); 3] = [
    ("overall", "", 228, 165, 310.0, 285.0, 363.0),
    ("by_sex", "male", 138, 112, 270.0, 212.0, 310.0),
    ("by_sex", "female", 90, 53, 426.0, 348.0, 550.0),
];
const LEAST_EVENTS: u64 = 10;

impl Story<'_> {
    pub(crate) fn release(&mut self) -> anyhow::Result<()> {
        self.stage.step(8, "The researcher fetches the release");
        let who = StageName::Researcher;
        let out = self.path("people/suzuki/survival");
        let release = self.survival.release.clone();
        let fetch = self.site.person(who).args(["release", "fetch", &release, "--out"]).arg(&out);
        self.shows(who, fetch)?;
        let run = self.survival.run.clone();
        let outputs = self.reads(who, &["output", "list", &run])?;
        for info in outputs.as_array().context("a list")? {
            self.plays(who, &["output", "read", &text(info, "output_id")?])?;
        }
        for (output, key, patients, events, median, lower, upper) in PUBLISHED {
            let file = out.join(format!("outputs/{output}.json"));
            let body: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
            let group = group(&body, key).with_context(|| format!("group {key:?} in {output}"))?;
            let same = [("median", median), ("medianLower", lower), ("medianUpper", upper)]
                .iter()
                .all(|(name, value)| group.get(*name).and_then(Value::as_f64) == Some(*value));
            let counted = number(group, "patients") == Some(patients)
                && number(group, "events") == Some(events);
            let whom = if key.is_empty() { "overall" } else { key };
            let claim = format!(
                "{whom}: {patients} patients, {events} deaths, median survival {median} days \
                 (95 % CI {lower}-{upper}), as published"
            );
            self.claim(same && counted, &claim)?;
            self.claim(
                coarse(group),
                &format!("{whom}: every step of the curve holds at least {LEAST_EVENTS} events"),
            )?;
        }
        Ok(())
    }
}

fn group<'a>(output: &'a Value, key: &str) -> Option<&'a Value> {
    let groups = output.pointer("/survival/groups")?.as_array()?;
    groups.iter().find(|group| match group.get("key").and_then(Value::as_array) {
        Some(parts) if !parts.is_empty() => parts.iter().any(|part| part.as_str() == Some(key)),
        _ => key.is_empty(),
    })
}

/// A 64-bit number, which the JSON mapping of Protocol Buffers writes as text.
fn number(value: &Value, key: &str) -> Option<u64> {
    let value = value.get(key)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn coarse(group: &Value) -> bool {
    let steps = group.get("steps").and_then(Value::as_array);
    steps.is_some_and(|steps| {
        !steps.is_empty()
            && steps.iter().all(|step| number(step, "events").unwrap_or(0) >= LEAST_EVENTS)
    })
}
