//! Who plays in the demo and the tests.

use std::{
    collections::BTreeMap, fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use uuid::Uuid;

use crate::issuer::User;

/// A person of the story, by what they do in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageName {
    /// The producer's steward.
    Steward,
    /// The producer's second steward, who is hired by the tests that need two.
    SecondSteward,
    /// Researcher at University A.
    Researcher,
    /// The producer's module reviewer.
    ModuleReviewer,
    /// The producer's first output reviewer.
    FirstReviewer,
    /// The producer's second output reviewer.
    SecondReviewer,
    /// Output reviewer who belongs to University A.
    InsideReviewer,
    /// The producer's security watch.
    Watch,
}

impl StageName {
    /// Everybody whom each story has.
    pub const ALL: [Self; 7] = [
        Self::Steward,
        Self::Researcher,
        Self::ModuleReviewer,
        Self::FirstReviewer,
        Self::SecondReviewer,
        Self::InsideReviewer,
        Self::Watch,
    ];

    /// What they type to sign in.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Steward => "tanaka",
            Self::SecondSteward => "sato",
            Self::Researcher => "suzuki",
            Self::ModuleReviewer => "yamada",
            Self::FirstReviewer => "kobayashi",
            Self::SecondReviewer => "ito",
            Self::InsideReviewer => "mori",
            Self::Watch => "kato",
        }
    }

    /// Their name on the roster.
    #[must_use]
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Steward => "Tanaka Yuko",
            Self::SecondSteward => "Sato Emi",
            Self::Researcher => "Suzuki Ken",
            Self::ModuleReviewer => "Yamada Aya",
            Self::FirstReviewer => "Kobayashi Jun",
            Self::SecondReviewer => "Ito Mari",
            Self::InsideReviewer => "Mori Shun",
            Self::Watch => "Kato Rei",
        }
    }

    /// Their role, as `sekisho steward person add --role` takes it.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Steward | Self::SecondSteward => "steward",
            Self::Researcher => "handler",
            Self::ModuleReviewer => "module-reviewer",
            Self::FirstReviewer | Self::SecondReviewer | Self::InsideReviewer => "output-reviewer",
            Self::Watch => "security-watch",
        }
    }

    /// Whether they belong to University A, not to the producer.
    #[must_use]
    pub fn at_university(self) -> bool {
        matches!(self, Self::Researcher | Self::InsideReviewer)
    }
}

/// A person with their password.
#[derive(Debug, Clone)]
pub(super) struct Player {
    pub(super) name: StageName,
    pub(super) full_name: &'static str,
    pub(super) password: String,
}

impl Player {
    pub(super) fn subject(&self) -> String {
        format!("{}@demo", self.name.text())
    }

    pub(super) fn user(&self) -> User {
        User {
            name: self.name.text().to_owned(),
            password: self.password.clone(),
            subject: self.subject(),
        }
    }
}

/// Everybody, with new passwords.
pub(super) fn players() -> BTreeMap<StageName, Player> {
    let player = |name: StageName| Player { name, full_name: name.full_name(), password: secret() };
    let all = StageName::ALL.into_iter().chain([StageName::SecondSteward]);
    all.map(|name| (name, player(name))).collect()
}

/// 122 random bits as text.
pub(super) fn secret() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Writes a new file that only its owner may read.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
