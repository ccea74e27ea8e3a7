use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A control that a host must give, or whose absence the site's configuration must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A network namespace of its own, without any interface.
    Network,
    /// Landlock rules that leave the granted folders readable and nothing writable.
    Files,
    /// The seccomp allow-list.
    SystemCalls,
}

impl Control {
    /// Stable name used in configuration and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Files => "files",
            Self::SystemCalls => "system-calls",
        }
    }

    /// The control of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Network, Self::Files, Self::SystemCalls]
            .into_iter()
            .find(|control| control.name() == name)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The controls a site has agreed to do without; empty unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lowered(BTreeSet<Control>);

impl Lowered {
    /// The named controls.
    #[must_use]
    pub fn new(controls: impl IntoIterator<Item = Control>) -> Self {
        Self(controls.into_iter().collect())
    }

    /// Whether the site does without this control.
    #[must_use]
    pub fn contains(&self, control: Control) -> bool {
        self.0.contains(&control)
    }

    /// The controls in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Control> + '_ {
        self.0.iter().copied()
    }

    /// Whether nothing is lowered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
