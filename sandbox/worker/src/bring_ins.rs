//! The brought-in tables of a run: opened with the lease's keys, held against the ticket.

use sekisho_bring_in::Files;
use sekisho_proto::v1;
use sekisho_vault::{Context, Key};
use sha2::{Digest as _, Sha256};

use crate::Refusal;

/// Opens exactly the tables that the ticket names.
pub(crate) fn open_bring_ins(
    ticket: &v1::RunTicket,
    lease: &v1::Lease,
) -> Result<Vec<Files>, Refusal> {
    if ticket.bring_ins.len() != lease.bring_ins.len() {
        return Err(Refusal::Unreadable("bring_ins"));
    }
    ticket
        .bring_ins
        .iter()
        .zip(&lease.bring_ins)
        .map(|(named, sealed)| open(named, sealed))
        .collect()
}

fn open(named: &v1::TicketBringIn, sealed: &v1::SealedBringIn) -> Result<Files, Refusal> {
    let key =
        Key::danger_from_bytes(&sealed.key).map_err(|_| Refusal::Unreadable("bring_ins.key"))?;
    let part = |label: &'static str, bytes: &[u8], sha256: &[u8]| {
        let context = Context::new(label).text(&named.bring_in_id);
        let plain = sekisho_vault::open(&key, &context, bytes).map_err(Refusal::BringIn)?;
        match Sha256::digest(plain.as_slice()).as_slice() == sha256 {
            true => Ok(plain.to_vec()),
            false => Err(Refusal::BringInHash),
        }
    };
    Ok(Files {
        description: part("bring-in-description", &sealed.description, &named.description_sha256)?,
        csv: part("bring-in-table", &sealed.table, &named.table_sha256)?,
    })
}
