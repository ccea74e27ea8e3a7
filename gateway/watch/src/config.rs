//! What the rules are. Unknown keys are refused; every problem is reported at once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Rule;

/// Longest window: 31 days.
pub const MAX_WINDOW_SECONDS: u64 = 31 * 86_400;

/// The rules of a site. A rule that is left out has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchConfig {
    /// Refusals met by one person, worker or address.
    pub denied_burst: RuleConfig,
    /// Runs asked for by one person.
    pub run_rate: RuleConfig,
    /// Rows decrypted for the runs of one person.
    pub rows_read: RuleConfig,
}

/// One rule: an alert when the count reaches `threshold` within `window_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Count that completes the pattern, at least 1.
    pub threshold: u64,
    /// Length of the sliding window, 1 to [`MAX_WINDOW_SECONDS`]. Also how long the same
    /// subject raises no second alert.
    pub window_seconds: u64,
    /// Whether the subject's sessions end at once (LG-3).
    pub cut_access: bool,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            denied_burst: RuleConfig { threshold: 10, window_seconds: 60, cut_access: true },
            run_rate: RuleConfig { threshold: 60, window_seconds: 3_600, cut_access: false },
            rows_read: RuleConfig {
                threshold: 50_000_000,
                window_seconds: 86_400,
                cut_access: false,
            },
        }
    }
}

impl WatchConfig {
    /// A rule's settings.
    #[must_use]
    pub const fn rule(&self, rule: Rule) -> RuleConfig {
        match rule {
            Rule::DeniedBurst => self.denied_burst,
            Rule::RunRate => self.run_rate,
            Rule::RowsRead => self.rows_read,
        }
    }

    /// # Errors
    /// [`ConfigError`] with every rule that can never or would always fire.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        for rule in Rule::ALL {
            let RuleConfig { threshold, window_seconds, .. } = self.rule(rule);
            if threshold == 0 {
                problems.push(ConfigProblem::Threshold(rule));
            }
            if window_seconds == 0 || window_seconds > MAX_WINDOW_SECONDS {
                problems.push(ConfigProblem::Window(rule));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A threshold of 0.
    #[error("{}.threshold must be at least 1", .0.name())]
    Threshold(Rule),
    /// A window that is empty or too long.
    #[error("{}.window_seconds must be 1 to {MAX_WINDOW_SECONDS}", .0.name())]
    Window(Rule),
}

/// All that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<ConfigProblem>);

impl ConfigError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "watch_config"
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_rules_left_out_keep_theirs() {
        assert_eq!(WatchConfig::default().check(), Ok(()));
        let config: WatchConfig =
            toml::from_str("[run_rate]\nthreshold = 3\nwindow_seconds = 60\ncut_access = true")
                .unwrap();
        assert_eq!(config.run_rate.threshold, 3);
        assert_eq!(config.rows_read, WatchConfig::default().rows_read);
    }

    #[test]
    fn unknown_and_missing_keys_are_refused() {
        let rule = "threshold = 3\nwindow_seconds = 60\ncut_access = true\n";
        for bad in [
            format!("[burst]\n{rule}"),
            format!("[run_rate]\n{rule}severity = 1"),
            "[run_rate]\nthreshold = 3".to_owned(),
            format!("[run_rate]\n{}", rule.replace("= 3", "= -3")),
        ] {
            assert!(toml::from_str::<WatchConfig>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let mut config = WatchConfig::default();
        config.denied_burst.threshold = 0;
        config.run_rate.window_seconds = 0;
        config.rows_read.window_seconds = MAX_WINDOW_SECONDS + 1;
        let error = config.check().unwrap_err();
        assert_eq!(
            error.0,
            [
                ConfigProblem::Threshold(Rule::DeniedBurst),
                ConfigProblem::Window(Rule::RunRate),
                ConfigProblem::Window(Rule::RowsRead),
            ]
        );
        assert_eq!(error.code(), "watch_config");
    }
}
