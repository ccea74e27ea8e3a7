//! Agreements (取決め) and the projects that stand on them (AG-1 to AG-6).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{AgreementId, OrganisationId, PersonId, ProjectId, Timestamp, dataset::DatasetVersion};

/// How data is provided (提供方法, AG-4). Handing over a medium cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvisionMethod {
    /// Over a line, in the visiting environment.
    Visiting,
    /// In an on-site research centre.
    Onsite,
}

/// One table of the view (利用内容, AG-3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedTable {
    /// Table name in the dataset.
    pub table: String,
    /// Granted columns.
    pub columns: Vec<String>,
    /// SQL predicate over granted columns; empty means all rows.
    pub row_filter: String,
}

/// Another dataset version, whose rows meet those of the first by person (連結, LK-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedDataset {
    /// Dataset.
    pub dataset_id: String,
    /// Its version.
    pub dataset_version: String,
    /// What of it the view holds.
    pub tables: Vec<GrantedTable>,
}

impl JoinedDataset {
    /// Its id and version.
    #[must_use]
    pub fn version(&self) -> DatasetVersion {
        let (dataset_id, version) = (self.dataset_id.clone(), self.dataset_version.clone());
        DatasetVersion { dataset_id, version }
    }
}

/// The machine-readable agreement of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Identifier.
    pub agreement_id: AgreementId,
    /// The certified user organisation.
    pub organisation_id: OrganisationId,
    /// 利用目的 (AG-1).
    pub purpose: String,
    /// 取扱者 (AG-2).
    pub handlers: Vec<PersonId>,
    /// Places (AG-2).
    pub places: Vec<Place>,
    /// Dataset.
    pub dataset_id: String,
    /// Its version.
    pub dataset_version: String,
    /// The view (AG-3).
    pub tables: Vec<GrantedTable>,
    /// Further datasets of the view. Table names are unique over all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<JoinedDataset>,
    /// First instant of the period of use (利用期間, AG-6).
    pub period_start: Timestamp,
    /// First instant after it.
    pub period_end: Timestamp,
    /// 提供方法 (AG-4).
    pub provision_method: ProvisionMethod,
    /// Whether modules and tables may be brought in (持込み, AG-5).
    pub bring_in: bool,
    /// Whether reviewed results may be taken out (持出し, AG-5).
    pub take_out: bool,
    /// 最小集計単位: distinct patients below which a cell is flagged.
    pub min_cell: u32,
    /// Distinct patients below which a run ends without outputs; 0 sets no floor.
    #[serde(default)]
    pub cohort_floor: u32,
    /// Runs one person may start in any hour (SV-4).
    pub runs_per_hour: u32,
    /// Runs that all handlers together may start on one day in Japan (SV-4); 0 sets no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub runs_per_day: u32,
    /// Limits of one run, where they are below the site's (SV-4).
    #[serde(default, skip_serializing_if = "RunQuota::is_unset")]
    pub run_quota: RunQuota,
}

/// What an agreement narrows the site's limits of one run to; 0 leaves the site's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunQuota {
    /// Rows that are given to the module, those given again included.
    pub rows: u64,
    /// Wasmtime fuel: in the per-patient world of one patient's call, in the cohort world of
    /// the whole run.
    pub fuel: u64,
    /// Bytes of a module's memory.
    pub memory_bytes: u64,
    /// Cells of all outputs together.
    pub output_cells: u32,
}

impl RunQuota {
    /// Whether it narrows nothing.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Agreement {
    /// Every dataset version of the view with what is granted of it, the first one first.
    pub fn datasets(&self) -> impl Iterator<Item = (&str, &str, &[GrantedTable])> {
        let joined = self.joined.iter().map(|joined| {
            (&*joined.dataset_id, &*joined.dataset_version, joined.tables.as_slice())
        });
        std::iter::once((&*self.dataset_id, &*self.dataset_version, self.tables.as_slice()))
            .chain(joined)
    }

    /// What of `wanted` lies outside the view, as `table` or `table.column`; empty
    /// when everything is granted (AG-3).
    #[must_use]
    pub fn ungranted<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, &'a [String])>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, columns) in wanted {
            match self.granted(table) {
                None => missing.push(table.to_owned()),
                Some(granted) => missing.extend(
                    columns
                        .iter()
                        .filter(|column| !granted.columns.contains(column))
                        .map(|column| format!("{table}.{column}")),
                ),
            }
        }
        missing
    }

    /// The joined datasets that a run over `tables` reads.
    #[must_use]
    pub fn joined_by<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> Vec<JoinedDataset> {
        let tables: Vec<_> = tables.into_iter().collect();
        let read = |joined: &&JoinedDataset| {
            joined.tables.iter().any(|granted| tables.contains(&granted.table.as_str()))
        };
        self.joined.iter().filter(read).cloned().collect()
    }

    fn granted(&self, table: &str) -> Option<&GrantedTable> {
        let mut tables = self.datasets().flat_map(|(_, _, tables)| tables);
        tables.find(|granted| granted.table == table)
    }

    /// Whether a session from `address` is at a declared place (AG-2, ZN-3).
    #[must_use]
    pub fn declares_place(&self, address: IpAddr) -> bool {
        self.places.iter().any(|place| place.contains(address))
    }
}

/// An address or a prefix such as `192.0.2.0/24` (RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    network: IpAddr,
    bits: u8,
}

/// The text is neither an address nor a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place is an IP address or a prefix such as 192.0.2.0/24")]
pub struct PlaceError;

impl Place {
    /// Whether `address` lies in the prefix.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (network, address) = match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u128::from(network.to_bits()) << 96, u128::from(address.to_bits()) << 96)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits()),
            _ => return false,
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
        network & mask == address & mask
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| PlaceError)?)),
            None => (text.as_str(), None),
        };
        let network: IpAddr = address.parse().map_err(|_| PlaceError)?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        if bits > longest { Err(PlaceError) } else { Ok(Self { network, bits }) }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        format!("{}/{}", place.network, place.bits)
    }
}

/// A project and the agreement it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Identifier.
    pub project_id: ProjectId,
    /// Short name.
    pub name: String,
    /// Its agreement.
    pub agreement: Agreement,
    /// Set once it is closed; then nothing of it decrypts any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure: Option<Closure>,
}

/// That a project was closed (SV-3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When.
    pub at: Timestamp,
    /// Who ordered it; the gateway itself when nobody did.
    pub by: Option<PersonId>,
    /// In their words.
    pub reason: String,
}

/// The erasure record (消去記録) of a closed project: what was destroyed, when, by whom and
/// under which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Project.
    pub project_id: ProjectId,
    /// The agreement it stood on.
    pub agreement_id: AgreementId,
    /// Requirement it was done under.
    pub rule: String,
    /// When, by whom, why.
    pub closure: Closure,
    /// Keys destroyed, by what they sealed.
    pub keys: Vec<String>,
    /// Sealed objects removed, by name.
    pub objects: Vec<String>,
    /// Index of the log's entry that carries the hash of this record.
    pub entry_index: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn ag_2_places_contain_their_addresses_only() {
        for (prefix, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.77", "192.0.3.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("2001:db8::/32", "2001:db8::5", "2001:db9::5"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ] {
            assert!(place(prefix).contains(inside.parse().unwrap()), "{prefix} {inside}");
            assert!(!place(prefix).contains(outside.parse().unwrap()), "{prefix} {outside}");
        }
        assert!(place("192.0.2.0/24").contains("::ffff:192.0.2.4".parse().unwrap()));
        for bad in ["", "home", "192.0.2.0/33", "192.0.2.0/x", "::/129"] {
            assert!(Place::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
