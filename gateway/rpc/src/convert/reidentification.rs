//! Orders of re-identification.

use sekisho_app::reidentifications::NewReidentification;
use sekisho_domain::{
    Reidentification, ReidentificationState,
    reidentification::{CaseNumberError, InquiryPurpose, InquiryRecipient, SignedOrder},
};
use sekisho_proto::v1;

use super::{Invalid, Shown, id, invalid, list, name, time::stamp};

/// Keys of one cell.
const KEYS: usize = 8;

/// What a steward orders.
pub(crate) fn new_reidentification(
    message: v1::OrderReidentificationRequest,
) -> Result<NewReidentification, Invalid> {
    let case_number = message.case_number.parse().map_err(|error: CaseNumberError| {
        invalid("CASE_NUMBER", "case_number", error.to_string())
    })?;
    Ok(NewReidentification {
        case_number,
        recipient: recipient(message.recipient)?,
        purpose: purpose(message.purpose)?,
        release_id: id(&message.release_id, "release_id")?,
        output: name(message.output, "output")?,
        key: list(message.key, "key", KEYS, name)?,
    })
}

fn recipient(recipient: i32) -> Result<InquiryRecipient, Invalid> {
    use v1::InquiryRecipient as Sent;
    match Sent::try_from(recipient) {
        Ok(Sent::MinisterOfHealth) => Ok(InquiryRecipient::MinisterOfHealth),
        Ok(Sent::Pmda) => Ok(InquiryRecipient::Pmda),
        Ok(Sent::Ema) => Ok(InquiryRecipient::Ema),
        Ok(Sent::Mhra) => Ok(InquiryRecipient::Mhra),
        Ok(Sent::Fda) => Ok(InquiryRecipient::Fda),
        _ => Err(invalid("RECIPIENT", "recipient", "not on the list of recipients (RI-3)")),
    }
}

fn purpose(purpose: i32) -> Result<InquiryPurpose, Invalid> {
    match v1::InquiryPurpose::try_from(purpose) {
        Ok(v1::InquiryPurpose::Approval) => Ok(InquiryPurpose::Approval),
        _ => Err(invalid("PURPOSE", "purpose", "must be approval (RI-3)")),
    }
}

impl Shown for Reidentification {
    type Message = v1::Reidentification;

    fn message(self) -> v1::Reidentification {
        let order = self.order;
        v1::Reidentification {
            reidentification_id: order.reidentification_id.to_string(),
            case_number: order.case_number.to_string(),
            recipient: sent_recipient(order.recipient).into(),
            purpose: match order.purpose {
                InquiryPurpose::Approval => v1::InquiryPurpose::Approval.into(),
            },
            release_id: order.release_id.to_string(),
            output: order.output,
            key: order.key,
            patients: order.patients,
            state: state(self.state).into(),
            ordered_by: order.ordered_by.to_string(),
            ordered_at: Some(stamp(order.ordered_at)),
            confirmed_by: self.signed.map(|it| it.confirmed_by.to_string()).unwrap_or_default(),
            expires_at: Some(stamp(self.expires_at)),
            order_sha256: hex::decode(self.order_sha256).unwrap_or_default(),
        }
    }
}

impl Shown for (SignedOrder, Vec<u8>) {
    type Message = v1::FetchReidentificationResponse;

    fn message(self) -> v1::FetchReidentificationResponse {
        let (signed, sealed_tokens) = self;
        v1::FetchReidentificationResponse {
            order_json: signed.json.into_bytes(),
            signature: hex::decode(signed.signature).unwrap_or_default(),
            sealed_tokens,
        }
    }
}

fn sent_recipient(recipient: InquiryRecipient) -> v1::InquiryRecipient {
    match recipient {
        InquiryRecipient::MinisterOfHealth => v1::InquiryRecipient::MinisterOfHealth,
        InquiryRecipient::Pmda => v1::InquiryRecipient::Pmda,
        InquiryRecipient::Ema => v1::InquiryRecipient::Ema,
        InquiryRecipient::Mhra => v1::InquiryRecipient::Mhra,
        InquiryRecipient::Fda => v1::InquiryRecipient::Fda,
    }
}

fn state(state: ReidentificationState) -> v1::ReidentificationState {
    match state {
        ReidentificationState::Ordered => v1::ReidentificationState::Ordered,
        ReidentificationState::Confirmed => v1::ReidentificationState::Confirmed,
        ReidentificationState::Sealed => v1::ReidentificationState::Sealed,
        ReidentificationState::Fetched => v1::ReidentificationState::Fetched,
        ReidentificationState::Refused => v1::ReidentificationState::Refused,
        ReidentificationState::Expired => v1::ReidentificationState::Expired,
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::{ReleaseId, Timestamp};

    use super::*;

    fn order() -> v1::OrderReidentificationRequest {
        v1::OrderReidentificationRequest {
            case_number: "PMDA-2026-001".to_owned(),
            recipient: v1::InquiryRecipient::Pmda.into(),
            purpose: v1::InquiryPurpose::Approval.into(),
            release_id: ReleaseId::new(Timestamp::from_millis(1)).to_string(),
            output: "km".to_owned(),
            key: vec!["female".to_owned()],
            step_up: None,
        }
    }

    #[test]
    fn ri_2_an_order_without_a_case_number_is_refused() {
        assert!(new_reidentification(order()).is_ok());
        for bad in ["", " ", "none"] {
            let without = v1::OrderReidentificationRequest { case_number: bad.into(), ..order() };
            assert_eq!(new_reidentification(without).unwrap_err().code, "CASE_NUMBER");
        }
    }

    #[test]
    fn ri_3_an_order_for_another_recipient_or_purpose_is_refused() {
        for bad in [0, 6, -1] {
            let other = v1::OrderReidentificationRequest { recipient: bad, ..order() };
            assert_eq!(new_reidentification(other).unwrap_err().code, "RECIPIENT");
        }
        for bad in [0, 2] {
            let other = v1::OrderReidentificationRequest { purpose: bad, ..order() };
            assert_eq!(new_reidentification(other).unwrap_err().code, "PURPOSE");
        }
    }
}
