//! Re-identification (再識別) for a regulator's inquiry (RI-2, RI-3).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    PersonId, ProjectId, ReidentificationId, ReleaseId, RunId, Timestamp, dataset::DatasetVersion,
    lifecycle::lifecycle, run::Lease,
};

/// Seconds within which a second steward must confirm an order.
pub const CONFIRM_WITHIN: i64 = 24 * 3600;

lifecycle! {
    /// Where an order stands.
    state ReidentificationState {
        /// Waits for a second steward.
        Ordered = "ordered",
        /// Waits for a worker.
        Confirmed = "confirmed",
        /// The tokens wait, sealed for the identified zone.
        Sealed = "sealed",
        /// A steward took them there.
        Fetched = "fetched",
        /// The run could not be done again as it was released.
        Refused = "refused",
        /// Nobody confirmed it in time.
        Expired = "expired",
    }
    /// What happens to an order.
    event ReidentificationEvent {
        /// A second steward confirms.
        Confirm = "confirm",
        /// Its time is over.
        Expire = "expire",
        /// The sealed tokens arrived.
        Seal = "seal",
        /// The trace failed for good, or the project was closed.
        Refuse = "refuse",
        /// A steward fetches it.
        Fetch = "fetch",
    }
    table {
        Ordered + Confirm => Confirmed,
        Ordered + Expire => Expired,
        Ordered + Refuse => Refused,
        Confirmed + Seal => Sealed,
        Confirmed + Refuse => Refused,
        Sealed + Fetch => Fetched,
    }
}

/// Whom an answer may go to (RI-3); nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryRecipient {
    /// 厚生労働大臣.
    MinisterOfHealth,
    /// Pharmaceuticals and Medical Devices Agency.
    Pmda,
    /// European Medicines Agency.
    Ema,
    /// Medicines and Healthcare products Regulatory Agency.
    Mhra,
    /// Food and Drug Administration.
    Fda,
}

/// What an answer may be for (RI-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryPurpose {
    /// The approval of a medicine or device.
    Approval,
}

/// A regulator's case number: 3 to 40 letters, digits and `-./`, with a digit among them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseNumber(String);

/// Why a text is no case number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a case number has 3 to 40 letters, digits, '-', '.' or '/', and a digit among them")]
pub struct CaseNumberError;

impl FromStr for CaseNumber {
    type Err = CaseNumberError;

    fn from_str(text: &str) -> Result<Self, CaseNumberError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-./".contains(&byte);
        let fits = (3..=40).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().any(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(CaseNumberError) }
    }
}

impl TryFrom<String> for CaseNumber {
    type Error = CaseNumberError;

    fn try_from(text: String) -> Result<Self, CaseNumberError> {
        text.parse()
    }
}

impl From<CaseNumber> for String {
    fn from(number: CaseNumber) -> Self {
        number.0
    }
}

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is ordered: the patients of one cell of a released output, for one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReidentificationOrder {
    /// Identifier.
    pub reidentification_id: ReidentificationId,
    /// The regulator's case.
    pub case_number: CaseNumber,
    /// Whom the answer may go to.
    pub recipient: InquiryRecipient,
    /// What for.
    pub purpose: InquiryPurpose,
    /// Project.
    pub project_id: ProjectId,
    /// Release the cell was printed in.
    pub release_id: ReleaseId,
    /// Run it came from.
    pub run_id: RunId,
    /// Dataset versions the run read.
    pub datasets: Vec<DatasetVersion>,
    /// Name of the output.
    pub output: String,
    /// Labels of the cell, as printed.
    pub key: Vec<String>,
    /// SHA-256 of the released output, hexadecimal: a trace must make the same again.
    pub output_sha256: String,
    /// Patients of the cell, as released.
    pub patients: u64,
    /// Who ordered it.
    pub ordered_by: PersonId,
    /// When.
    pub ordered_at: Timestamp,
}

/// An order that two persons gave; signed for the identified zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedOrder {
    /// The order.
    #[serde(flatten)]
    pub order: ReidentificationOrder,
    /// The second steward.
    pub confirmed_by: PersonId,
    /// When.
    pub confirmed_at: Timestamp,
}

/// A confirmed order as signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// JSON of [`ConfirmedOrder`].
    pub json: String,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// Ed25519 signature over it, hexadecimal.
    pub signature: String,
    /// The second steward.
    pub confirmed_by: PersonId,
}

/// An order and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reidentification {
    /// The order.
    pub order: ReidentificationOrder,
    /// What a confirmation is bound to: SHA-256 of the order, hexadecimal.
    pub order_sha256: String,
    /// State.
    pub state: ReidentificationState,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
    /// Set once confirmed.
    pub signed: Option<SignedOrder>,
    /// The worker that traces it.
    pub lease: Option<Lease>,
    /// Times it was handed out.
    pub attempts: u32,
    /// SHA-256 of the sealed tokens, hexadecimal; names the object that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_sha256: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ri_2_a_case_number_is_said_in_a_bounded_form() {
        for good in ["PMDA-2026-00123", "EMEA/H/C/001234", "123"] {
            assert_eq!(good.parse::<CaseNumber>().unwrap().to_string(), good);
        }
        let long = "1".repeat(41);
        for bad in ["", "  ", "12", "none", "PMDA 1", "PMDA-1\n", "件-123", long.as_str()] {
            assert_eq!(bad.parse::<CaseNumber>(), Err(CaseNumberError), "{bad:?}");
        }
    }

    #[test]
    fn ri_3_no_other_recipient_and_purpose_can_be_said() {
        for good in ["minister_of_health", "pmda", "ema", "mhra", "fda"] {
            assert!(serde_json::from_value::<InquiryRecipient>(good.into()).is_ok(), "{good}");
        }
        assert!(serde_json::from_value::<InquiryRecipient>("insurer".into()).is_err());
        assert!(serde_json::from_value::<InquiryPurpose>("marketing".into()).is_err());
    }
}
