use std::fmt;

use crate::Control;

/// What was applied, in order, for the record of the run.
///
/// Displays as words joined by spaces, e.g. `userns netns landlock-7 seccomp-54`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JailRecord(Vec<String>);

impl JailRecord {
    /// Notes a part that is in force.
    pub fn applied(&mut self, part: impl Into<String>) {
        self.0.push(part.into());
    }

    /// Notes a required control that is absent because configuration allows it.
    pub fn lowered(&mut self, control: Control) {
        self.0.push(format!("lowered:{control}"));
    }

    /// Whether a part is noted, by its exact word.
    #[must_use]
    pub fn has(&self, part: &str) -> bool {
        self.0.iter().any(|noted| noted == part)
    }
}

impl fmt::Display for JailRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
