use std::time::{Duration, SystemTime};

use prost::Message as _;
use sekisho_proto::v1;
use sekisho_vault::VerifyingIdentity;

use crate::Refusal;

/// Domain separation of ticket signatures; the gateway signs under the same.
pub const TICKET_LABEL: &str = "sekisho.v1.RunTicket";

/// Clocks of gateway and worker may differ by this much.
const SKEW: Duration = Duration::from_secs(60);

/// A ticket whose signature and life have been checked. There is no other way to make one.
#[derive(Debug)]
pub struct VerifiedTicket(v1::RunTicket);

impl VerifiedTicket {
    /// Checks the gateway's signature over the ticket's bytes, then its life.
    ///
    /// # Errors
    /// [`Refusal`] says which check failed.
    pub fn verify(
        signed: &v1::SignedTicket,
        gateway: &VerifyingIdentity,
        now: SystemTime,
    ) -> Result<Self, Refusal> {
        gateway
            .verify(TICKET_LABEL, &signed.ticket, &signed.signature)
            .map_err(|_| Refusal::Signature)?;
        let ticket = v1::RunTicket::decode(signed.ticket.as_slice())
            .map_err(|_| Refusal::Unreadable("ticket"))?;
        if time(ticket.expires_at, "expires_at")? <= now {
            return Err(Refusal::Expired);
        }
        if time(ticket.issued_at, "issued_at")? > now + SKEW {
            return Err(Refusal::NotYet);
        }
        Ok(Self(ticket))
    }

    pub(crate) fn into_ticket(self) -> v1::RunTicket {
        self.0
    }
}

impl AsRef<v1::RunTicket> for VerifiedTicket {
    fn as_ref(&self) -> &v1::RunTicket {
        &self.0
    }
}

fn time(stamp: Option<prost_types::Timestamp>, field: &'static str) -> Result<SystemTime, Refusal> {
    let stamp = stamp.ok_or(Refusal::Unreadable(field))?;
    SystemTime::try_from(stamp).map_err(|_| Refusal::Unreadable(field))
}
