//! Bytes that one zone seals and another opens: a fresh key wrapped for the receiver, and an
//! envelope under that key. Both are bound to one context.

use zeroize::Zeroizing;

use crate::{Context, Key, KeyUnwrapper, KeyWrapper, VaultError, WrappedKey, open, seal};

/// Seals `plaintext` for whoever `receiver` wraps keys for: length of the wrapped key (4
/// bytes, big-endian), the wrapped key, the envelope.
pub fn seal_parcel(
    receiver: &dyn KeyWrapper,
    context: &Context,
    plaintext: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let key = Key::generate()?;
    let wrapped = receiver.wrap(context, &key)?;
    let length = u32::try_from(wrapped.as_bytes().len()).map_err(|_| VaultError::TooLarge)?;
    let envelope = seal(&key, context, plaintext)?;
    Ok([length.to_be_bytes().as_slice(), wrapped.as_bytes(), &envelope].concat())
}

/// Opens a parcel; fails closed when receiver, context or any byte differs.
pub fn open_parcel(
    receiver: &dyn KeyUnwrapper,
    context: &Context,
    parcel: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (length, rest) = parcel.split_first_chunk::<4>().ok_or(VaultError::NotAnEnvelope)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (wrapped, envelope) = rest.split_at_checked(length).ok_or(VaultError::NotAnEnvelope)?;
    let key = receiver.unwrap(context, &WrappedKey::from_bytes(wrapped.to_vec()))?;
    open(&key, context, envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryVault;

    #[test]
    fn zn_2_a_parcel_opens_for_its_receiver_in_its_context_and_whole() {
        let (one, other) = (MemoryVault::new().unwrap(), MemoryVault::new().unwrap());
        let context = Context::new("test").text("a");
        let parcel = seal_parcel(&one, &context, b"tokens").unwrap();
        assert_eq!(&*open_parcel(&one, &context, &parcel).unwrap(), b"tokens");
        assert!(open_parcel(&other, &context, &parcel).is_err());
        assert!(open_parcel(&one, &Context::new("test").text("b"), &parcel).is_err());
        for length in 0..parcel.len() {
            assert!(open_parcel(&one, &context, &parcel[..length]).is_err(), "{length}");
        }
    }
}
