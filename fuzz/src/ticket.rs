//! A run's ticket: the worker verifies it before it unwraps a key.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use prost::Message as _;
use sekisho_proto::v1;
use sekisho_vault::SigningIdentity;

/// The worker's own source; the crate would bring the engine with it.
#[allow(dead_code, missing_docs, unreachable_pub, reason = "it is a part of the worker")]
#[path = "../../sandbox/worker/src/ticket.rs"]
mod worker;

use worker::{TICKET_LABEL, VerifiedTicket};

static GATEWAY: LazyLock<SigningIdentity> = LazyLock::new(|| SigningIdentity::generate().unwrap());

/// Whatever is not signed by the gateway is refused; what is signed is read without a panic, and
/// accepted only within its life.
pub fn run(bytes: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let gateway = GATEWAY.verifying();
    // As it comes over the wire: nobody but the gateway can have signed it.
    if let Ok(signed) = v1::SignedTicket::decode(bytes) {
        assert!(VerifiedTicket::verify(&signed, &gateway, now).is_err());
        // Ids of a ticket that is not verified are read to hand its lease back.
        let _ = v1::RunTicket::decode(signed.ticket.as_slice());
    }
    let signature = GATEWAY.sign(TICKET_LABEL, bytes).to_vec();
    let signed = v1::SignedTicket { ticket: bytes.to_vec(), signature };
    if let Ok(ticket) = VerifiedTicket::verify(&signed, &gateway, now) {
        let ends = SystemTime::try_from(ticket.as_ref().expires_at.unwrap()).unwrap();
        assert!(ends > now);
    }
}

/// Tickets with every part, in their life and out of it, and one signed by nobody.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let ticket = |expires| v1::RunTicket {
        run_id: "run".to_owned(),
        lease_id: "lease".to_owned(),
        module_sha256: vec![7; 32],
        datasets: vec![v1::TicketDataset {
            dataset_id: "lung".to_owned(),
            tables: vec![v1::GrantedTable {
                table: "lung".to_owned(),
                columns: vec!["time".to_owned(), "status".to_owned()],
                row_filter: "time > 5".to_owned(),
            }],
            ..v1::TicketDataset::default()
        }],
        parameters: vec![v1::Parameter {
            name: "from".to_owned(),
            value: Some(v1::parameter::Value::Number(0.5)),
        }],
        limits: Some(v1::RunLimits { fuel: 1, ..v1::RunLimits::default() }),
        issued_at: at(1_799_999_990),
        expires_at: at(expires),
        trace: Some(v1::Trace { key: vec!["west".to_owned()], ..v1::Trace::default() }),
        ..v1::RunTicket::default()
    };
    let live = ticket(1_800_000_100).encode_to_vec();
    let signed = v1::SignedTicket { ticket: live.clone(), signature: vec![9; 64] };
    let ends = [1, -1, i64::MAX, i64::MIN].map(|end| ticket(end).encode_to_vec());
    [vec![live, signed.encode_to_vec()], ends.to_vec()].concat()
}
