//! A trace: the patients of one cell of a released output, for a regulator's inquiry (RI-2).

use prost::Message as _;
use sekisho_proto::v1;
use sekisho_vault::{Context, ReceivingPublic, VaultError, Zeroizing, seal_parcel};
use sha2::{Digest as _, Sha256};

/// The context that tokens are sealed in: another order does not open them. The identified
/// zone spells the same.
fn tokens_context(order_sha256: &[u8]) -> Context {
    Context::new("sekisho.reidentification.tokens.v1").bytes(order_sha256)
}

/// Whether the output that was made again is, byte for byte, the one that was released.
pub(crate) fn is_as_released(outputs: &[v1::CheckedOutput], trace: &v1::Trace) -> bool {
    let made = outputs.iter().filter_map(|checked| checked.output.as_ref());
    let made = made.filter(|output| output.name == trace.output);
    made.map(|output| Sha256::digest(output.encode_to_vec()))
        .any(|sha256| sha256.as_slice() == trace.output_sha256)
}

/// Seals the tokens, 8 bytes each (big-endian), as the one output of a trace.
pub(crate) fn seal_tokens(
    receiver: &ReceivingPublic,
    trace: &v1::Trace,
    tokens: &[u64],
) -> Result<v1::SealedOutput, VaultError> {
    let plain: Vec<u8> = tokens.iter().flat_map(|token| token.to_be_bytes()).collect();
    let plain = Zeroizing::new(plain);
    let sealed = seal_parcel(receiver, &tokens_context(&trace.order_sha256), &plain)?;
    Ok(v1::SealedOutput { name: "trace".to_owned(), sealed })
}
