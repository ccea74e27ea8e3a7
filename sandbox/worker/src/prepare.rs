use std::collections::BTreeMap;
use std::path::PathBuf;

use sekisho_dataset::{Grant, Profile, SealedVersion};
use sekisho_proto::v1;
use sekisho_runner::{RunData, RunSpec, module_context};
use sekisho_vault::{Key, Zeroizing};
use sha2::{Digest as _, Sha256};

use crate::{Refusal, Site, VerifiedTicket, bring_ins::open_bring_ins};

/// Opens what the ticket names and nothing else: the module it was issued for, and the keys
/// of exactly the granted columns. Reads files, so it belongs on a blocking thread.
///
/// # Errors
/// [`Refusal`] says what does not fit; nothing was started.
pub fn prepare(site: &Site, ticket: VerifiedTicket, lease: v1::Lease) -> Result<RunSpec, Refusal> {
    let ticket = ticket.into_ticket();
    if ticket.trace.is_some() && site.identified.is_none() {
        return Err(Refusal::NoReceiver);
    }
    let component = open_module(&ticket, &lease)?;
    if Sha256::digest(lease.manifest.as_bytes()).as_slice() != ticket.manifest_sha256 {
        return Err(Refusal::ManifestHash);
    }
    let output_key =
        Key::danger_from_bytes(&lease.output_key).map_err(|_| Refusal::Unreadable("output_key"))?;
    let order_key =
        Key::danger_from_bytes(&lease.order_key).map_err(|_| Refusal::Unreadable("order_key"))?;
    site.deployment.check_valid(jiff::Zoned::now().date())?;
    let bring_ins = open_bring_ins(&ticket, &lease)?;
    let data = open_data(site, &ticket.datasets)?;
    Ok(RunSpec {
        ticket,
        manifest: lease.manifest,
        component,
        bring_ins,
        data,
        ingest: site.ingest_key.clone(),
        output_key,
        order_key,
        receiver: site.identified.clone(),
        dummy: false,
        lowered: site.config.lowered.clone(),
    })
}

fn open_module(ticket: &v1::RunTicket, lease: &v1::Lease) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let key =
        Key::danger_from_bytes(&lease.module_key).map_err(|_| Refusal::Unreadable("module_key"))?;
    let context = module_context(&ticket.module_id);
    let component =
        sekisho_vault::open(&key, &context, &lease.sealed_module).map_err(Refusal::Module)?;
    if Sha256::digest(component.as_slice()).as_slice() != ticket.module_sha256 {
        return Err(Refusal::ModuleHash);
    }
    Ok(component)
}

/// The keys of exactly the granted columns, version by version.
fn open_data(site: &Site, datasets: &[v1::TicketDataset]) -> Result<Vec<RunData>, Refusal> {
    let mut versions = Vec::new();
    let mut data = Vec::new();
    for granted in datasets {
        let folder = folder(site, granted)?;
        let version = SealedVersion::open(&folder, &site.ingest_key)?;
        if hex::decode(version.manifest_sha256()).ok().as_ref() != Some(&granted.manifest_sha256) {
            return Err(Refusal::DatasetHash);
        }
        let Profile { holds, database, id_space, .. } = version.profile();
        let facts = (holds.name(), database, id_space);
        if facts != (granted.holds.as_str(), &granted.database, &granted.id_space) {
            return Err(Refusal::DatasetFacts);
        }
        let keys = version.unwrap_granted(&site.receiving, &grant(&granted.tables))?;
        versions.push(version);
        data.push(RunData { folder, keys });
    }
    sekisho_dataset::common_buckets(&versions)?;
    Ok(data)
}

/// The version's folder; names that could lead elsewhere are refused.
fn folder(site: &Site, dataset: &v1::TicketDataset) -> Result<PathBuf, Refusal> {
    let plain = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
    };
    if !plain(&dataset.dataset_id) || !plain(&dataset.dataset_version) {
        return Err(Refusal::DatasetName);
    }
    let datasets = &site.config.datasets;
    Ok(datasets.join(&dataset.dataset_id).join(&dataset.dataset_version))
}

fn grant(granted: &[v1::GrantedTable]) -> Grant {
    let mut tables = BTreeMap::new();
    for granted in granted {
        let columns = granted.columns.iter().cloned().collect();
        tables.insert(granted.table.clone(), columns);
    }
    Grant { tables }
}
