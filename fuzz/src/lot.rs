//! Inputs drawn by lot.

use sekisho_hostile::Lot;

/// One of the inputs with a few changes: bits, bytes, cuts, and pieces of another.
#[must_use]
pub fn changed(lot: &mut Lot, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[lot.below(inputs.len())].clone();
    for _ in 0..1 + lot.below(4) {
        let at = lot.below(bytes.len() + 1);
        match lot.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << lot.below(8),
            1 if at < bytes.len() => bytes[at] = lot.draw() as u8,
            2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][lot.below(5)],
            3 => bytes.truncate(at),
            4 => drop(bytes.splice(at..at, piece(lot, inputs))),
            _ => {
                let end = at + lot.below(bytes.len() - at + 1).min(64);
                drop(bytes.splice(at..end, piece(lot, inputs)));
            }
        }
    }
    bytes
}

/// At most 64 bytes of one of the inputs.
fn piece(lot: &mut Lot, inputs: &[Vec<u8>]) -> Vec<u8> {
    let from = &inputs[lot.below(inputs.len())];
    let start = lot.below(from.len() + 1);
    from[start..].iter().take(lot.below(65)).copied().collect()
}
