//! Re-identification (再識別) for a regulator's inquiry: the only place where a token becomes
//! a person again (RI-2), and only for an order that two stewards gave and the gateway signed.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_dataset::Profile;
use sekisho_vault::{
    Context, VaultError, VerifyingIdentity, Zeroizing, create_private_dir, create_private_file,
    open_parcel, seal,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::intake::Verdict;
use crate::run::check_tables;
use crate::source::Format;
use crate::table::{TableSource, read_persons};
use crate::{IdentifiedZone, IngestError, Intake};

/// The gateway signs under the same.
const ORDER_LABEL: &str = "sekisho.v1.Reidentification";
const FOLDER: &str = "reidentified";
/// Whom an answer may go to (RI-3); the gateway checks the same.
const RECIPIENTS: [&str; 5] = ["minister_of_health", "pmda", "ema", "mhra", "fda"];

/// The file that `sekisho reidentification fetch` writes.
#[derive(Deserialize)]
struct OrderFile {
    order: String,
    signature: String,
    sealed_tokens: String,
}

/// What the zone reads of a signed order.
#[derive(Clone, Debug, Deserialize)]
struct Order {
    reidentification_id: String,
    case_number: String,
    recipient: String,
    purpose: String,
    ordered_by: String,
    confirmed_by: String,
    /// Patients of the cell, as released.
    patients: u64,
}

/// A verified order with its tokens opened.
pub struct Inquiry {
    order: Order,
    tokens: HashSet<u64>,
}

/// Who was found.
#[derive(Debug, Serialize)]
pub struct Reidentified {
    /// The order.
    pub reidentification_id: String,
    /// The case.
    pub case_number: String,
    /// Whom the answer may go to.
    pub recipient: String,
    /// Ids of persons as normalised from the source, in order; parts are joined by `|`.
    #[serde(skip)]
    pub ids: Vec<String>,
    /// How many those are.
    pub found: usize,
    /// Persons of the cell who are not disclosed: opted out, deleted, or not in this source.
    pub not_disclosed: usize,
    /// Rows of the source whose person could not be read.
    pub unreadable_rows: u64,
}

impl Inquiry {
    /// Verifies the gateway's signature and opens the tokens.
    pub fn open(
        zone: &IdentifiedZone,
        file: &Path,
        gateway: &VerifyingIdentity,
    ) -> Result<Self, IngestError> {
        let text = fs::read(file).map_err(|source| IngestError::Io {
            path: file.to_owned(),
            doing: "reading the order",
            source,
        })?;
        let unreadable = || IngestError::Order("it cannot be read");
        let sent: OrderFile = serde_json::from_slice(&text).map_err(|_| unreadable())?;
        let signature = hex::decode(&sent.signature).map_err(|_| unreadable())?;
        gateway
            .verify(ORDER_LABEL, sent.order.as_bytes(), &signature)
            .map_err(|_| IngestError::Order("the gateway did not sign it"))?;
        let order: Order = serde_json::from_str(&sent.order).map_err(|_| unreadable())?;
        check(&order)?;
        let sealed = hex::decode(&sent.sealed_tokens).map_err(|_| unreadable())?;
        let context = Context::new("sekisho.reidentification.tokens.v1")
            .bytes(&Sha256::digest(sent.order.as_bytes()));
        let plain = open_parcel(&zone.receiving()?, &context, &sealed)?;
        let (tokens, rest) = plain.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(VaultError::CannotOpen.into());
        }
        let tokens: HashSet<u64> = tokens.iter().map(|token| u64::from_be_bytes(*token)).collect();
        if tokens.len() as u64 != order.patients {
            return Err(IngestError::Order("its tokens are not as many as the cell's patients"));
        }
        Ok(Self { order, tokens })
    }

    /// Looks the persons up in a source: whoever opted out or asked for deletion since is not
    /// disclosed. Of a row the person alone is read; where that cannot be done, the row is
    /// passed over and counted. `today` is a day in Japan.
    pub fn look_up(
        &self,
        zone: &IdentifiedZone,
        format: Format,
        profile: &Profile,
        files: &[(String, PathBuf)],
        intake: &Intake,
        today: jiff::civil::Date,
    ) -> Result<Reidentified, IngestError> {
        check_tables(profile, files)?;
        let mut tokens = zone.tokens(&profile.id_space);
        let (mut gate, _) = intake.lists.gate(profile, today, &mut tokens)?;
        gate.join_deletions(&zone.deletions()?, &profile.id_space);
        tokens.look_for(self.tokens.clone());
        let mut unreadable_rows = 0;
        for (name, file) in files {
            let Some(table) = profile.table(name) else { continue };
            let open = || format.open(file, intake.encoding, profile, table);
            let from = TableSource { file, size: format.size(file), open: &open };
            unreadable_rows += read_persons(profile, table, &from, &mut tokens)?;
        }
        let met = tokens.into_met().into_iter();
        let met = met.filter(|(token, _)| gate.judge(*token) == Verdict::In);
        let mut ids: Vec<String> =
            met.map(|(_, id)| String::from_utf8_lossy(&id).replace('\u{1f}', "|")).collect();
        ids.sort();
        let found = ids.len();
        let Order { reidentification_id, case_number, recipient, .. } = self.order.clone();
        let not_disclosed = self.tokens.len().saturating_sub(found);
        Ok(Reidentified {
            reidentification_id,
            case_number,
            recipient,
            ids,
            found,
            not_disclosed,
            unreadable_rows,
        })
    }
}

impl Reidentified {
    /// Keeps the ids in the zone, sealed with the zone's own key. Never overwrites.
    pub fn seal(&self, zone: &IdentifiedZone) -> Result<PathBuf, IngestError> {
        let folder = zone.folder().join(FOLDER);
        create_private_dir(&folder)?;
        let path = folder.join(format!("{}.sealed", self.reidentification_id));
        let plain = Zeroizing::new(self.ids.join("\n").into_bytes());
        create_private_file(
            &path,
            &seal(zone.sealing(), &kept(&self.reidentification_id), &plain)?,
        )?;
        Ok(path)
    }
}

/// Opens what [`Reidentified::seal`] kept; fails when it was changed or renamed.
pub(crate) fn kept_ids(zone: &IdentifiedZone, file: &Path) -> Result<Vec<String>, IngestError> {
    // Not as a secret is read: those are small, and a cell may have many persons.
    let bytes = fs::read(file).map_err(|source| IngestError::Io {
        path: file.to_owned(),
        doing: "reading the answer",
        source,
    })?;
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = sekisho_vault::open(zone.sealing(), &kept(name), &bytes)?;
    Ok(String::from_utf8_lossy(&plain).lines().map(str::to_owned).collect())
}

fn kept(reidentification_id: &str) -> Context {
    Context::new("sekisho.reidentification.ids.v1").text(reidentification_id)
}

/// What no order may lack, checked again where it takes effect.
fn check(order: &Order) -> Result<(), IngestError> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let refuse = |why| Err(IngestError::Order(why));
    if order.reidentification_id.is_empty() || !plain(&order.reidentification_id) {
        return refuse("it has no id");
    }
    if order.case_number.trim().is_empty() {
        return refuse("it has no case number (RI-2)");
    }
    if order.confirmed_by.is_empty() || order.ordered_by == order.confirmed_by {
        return refuse("it is not two persons' (RI-2)");
    }
    if !RECIPIENTS.contains(&order.recipient.as_str()) {
        return refuse("its recipient is not on the list (RI-3)");
    }
    if order.purpose != "approval" {
        return refuse("its purpose is not approval (RI-3)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(change: impl FnOnce(&mut Order)) -> Result<(), IngestError> {
        let text = |text: &str| text.to_owned();
        let mut order = Order {
            reidentification_id: text("reidentification_1"),
            case_number: text("PMDA-2026-1"),
            recipient: text("pmda"),
            purpose: text("approval"),
            ordered_by: text("person_1"),
            confirmed_by: text("person_2"),
            patients: 12,
        };
        change(&mut order);
        check(&order)
    }

    #[test]
    fn ri_2_the_zone_refuses_what_two_persons_did_not_order_under_a_case_number() {
        assert!(order(|_| ()).is_ok());
        assert!(order(|order| order.case_number = " ".to_owned()).is_err());
        assert!(order(|order| order.confirmed_by = order.ordered_by.clone()).is_err());
        assert!(order(|order| order.confirmed_by.clear()).is_err());
        assert!(order(|order| order.reidentification_id = "../x".to_owned()).is_err());
    }

    #[test]
    fn ri_3_the_zone_refuses_other_recipients_and_purposes() {
        assert!(order(|order| order.recipient = "insurer".to_owned()).is_err());
        assert!(order(|order| order.purpose = "marketing".to_owned()).is_err());
    }

    #[test]
    fn ri_2_an_answer_of_many_persons_opens_again_under_its_own_name_only() {
        let dir = tempfile::tempdir().unwrap();
        let zone =
            IdentifiedZone::init(&dir.path().join("identified"), jiff::civil::date(2026, 11, 28))
                .unwrap();
        let ids: Vec<String> = (0..10_000).map(|number| format!("{number:010}")).collect();
        let answer = Reidentified {
            reidentification_id: "reidentification_1".to_owned(),
            case_number: "PMDA-2026-1".to_owned(),
            recipient: "pmda".to_owned(),
            found: ids.len(),
            ids,
            not_disclosed: 0,
            unreadable_rows: 0,
        };
        let file = answer.seal(&zone).unwrap();
        assert_eq!(kept_ids(&zone, &file).unwrap(), answer.ids);
        let renamed = file.with_file_name("reidentification_2.sealed");
        fs::rename(&file, &renamed).unwrap();
        assert!(kept_ids(&zone, &renamed).is_err());
    }
}
