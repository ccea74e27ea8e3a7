//! Organisations, people and what they may act as.

use serde::{Deserialize, Serialize};

use crate::{OrganisationId, PersonId, Timestamp};

/// What an organisation is under the Act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationKind {
    /// 認定仮名加工医療情報作成事業者.
    Producer,
    /// 認定仮名加工医療情報利用事業者.
    UserOrg,
}

/// An organisation that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its identifier.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: OrganisationKind,
}

/// What a person may act as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 取扱者: analyses data under an agreement.
    Handler,
    /// Decides which modules enter.
    ModuleReviewer,
    /// Decides which outputs leave (持出し確認).
    OutputReviewer,
    /// Sees anomalies and may cut access.
    SecurityWatch,
    /// The producer's staff.
    Steward,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Handler,
        Self::ModuleReviewer,
        Self::OutputReviewer,
        Self::SecurityWatch,
        Self::Steward,
    ];

    /// Stable name, as in policies and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::ModuleReviewer => "module_reviewer",
            Self::OutputReviewer => "output_reviewer",
            Self::SecurityWatch => "security_watch",
            Self::Steward => "steward",
        }
    }
}

/// How sure the environment is that the second factor was biometric (AU-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BiometricLevel {
    /// User verification only; may have been a PIN.
    B0,
    /// Attested, allow-listed model with a biometric sensor, device-bound.
    B1,
    /// B1, enrolled in person and asserted on a managed terminal.
    B2,
    /// Allow-listed model without any PIN path.
    B3,
}

impl BiometricLevel {
    /// 0 to 3, as policies compare it.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::B0 => 0,
            Self::B1 => 1,
            Self::B2 => 2,
            Self::B3 => 3,
        }
    }
}

/// A named person on the roster (名簿).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Identifier.
    pub person_id: PersonId,
    /// Name as shown to colleagues.
    pub display_name: String,
    /// Organisation the person belongs to.
    pub organisation_id: OrganisationId,
    /// What the person may act as.
    pub roles: Vec<Role>,
    /// False once taken off the roster.
    pub active: bool,
    /// OpenID Connect issuer of the first factor.
    pub oidc_issuer: String,
    /// Subject at that issuer.
    pub oidc_subject: String,
    /// Training valid until (教育及び訓練, ED-1).
    pub training_until: Option<Timestamp>,
    /// Pledge signed at (誓約書, ED-1).
    pub pledged_at: Option<Timestamp>,
}
