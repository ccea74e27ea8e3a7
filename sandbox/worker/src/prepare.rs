use std::collections::BTreeMap;
use std::path::PathBuf;

use sekisho_dataset::{Grant, SealedVersion};
use sekisho_proto::v1;
use sekisho_runner::{RunSpec, module_context};
use sekisho_vault::{Key, Zeroizing};
use sha2::{Digest as _, Sha256};

use crate::{Refusal, Site, VerifiedTicket};

/// Opens what the ticket names and nothing else: the module it was issued for, and the keys
/// of exactly the granted columns. Reads files, so it belongs on a blocking thread.
///
/// # Errors
/// [`Refusal`] says what does not fit; nothing was started.
pub fn prepare(site: &Site, ticket: VerifiedTicket, lease: v1::Lease) -> Result<RunSpec, Refusal> {
    let ticket = ticket.into_ticket();
    let component = open_module(&ticket, &lease)?;
    if Sha256::digest(lease.manifest.as_bytes()).as_slice() != ticket.manifest_sha256 {
        return Err(Refusal::ManifestHash);
    }
    let output_key =
        Key::danger_from_bytes(&lease.output_key).map_err(|_| Refusal::Unreadable("output_key"))?;
    let dataset = folder(site, &ticket)?;
    let version = SealedVersion::open(&dataset, &site.ingest_key)?;
    if hex::decode(version.manifest_sha256()).ok() != Some(ticket.dataset_manifest_sha256.clone()) {
        return Err(Refusal::DatasetHash);
    }
    let keys = version.unwrap_granted(&site.receiving, &grant(&ticket))?;
    Ok(RunSpec {
        ticket,
        manifest: lease.manifest,
        component,
        dataset,
        keys,
        ingest: site.ingest_key.clone(),
        output_key,
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

/// The version's folder; names that could lead elsewhere are refused.
fn folder(site: &Site, ticket: &v1::RunTicket) -> Result<PathBuf, Refusal> {
    let plain = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
    };
    if !plain(&ticket.dataset_id) || !plain(&ticket.dataset_version) {
        return Err(Refusal::DatasetName);
    }
    let datasets = &site.config.datasets;
    Ok(datasets.join(&ticket.dataset_id).join(&ticket.dataset_version))
}

fn grant(ticket: &v1::RunTicket) -> Grant {
    let mut tables = BTreeMap::new();
    for granted in &ticket.tables {
        let columns = granted.columns.iter().cloned().collect();
        tables.insert(granted.table.clone(), columns);
    }
    Grant { tables }
}
