use std::io::{self, Read, Write};

use zeroize::Zeroizing;

/// What a frame carries; one byte on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Supervisor to runner: how to confine itself.
    Confine = 1,
    /// Supervisor to runner: the job, keys included.
    Job = 2,
    /// Supervisor to compiler: a module.
    Compile = 3,
    /// Runner to supervisor: the jail is in force.
    Confined = 16,
    /// Runner to supervisor: the jail cannot be entered.
    Refused = 17,
    /// Runner to supervisor: tenths of the rows scanned.
    Progress = 18,
    /// Runner to supervisor: one sealed output.
    Output = 19,
    /// Runner to supervisor: all outputs are sent.
    Done = 20,
    /// Runner to supervisor: the run failed.
    Failed = 21,
    /// Compiler to supervisor: the module's machine code.
    Compiled = 22,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Confine,
            Self::Job,
            Self::Compile,
            Self::Confined,
            Self::Refused,
            Self::Progress,
            Self::Output,
            Self::Done,
            Self::Failed,
            Self::Compiled,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// Kind (1 byte) and length (4 bytes, little-endian) come before each payload.
const HEADER: usize = 5;

/// A frame that the receiver does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// No frame of this protocol has this kind.
    Unknown(u8),
    /// Longer than its kind may be.
    TooLong(Kind),
}

/// Writes one frame and flushes it.
pub(crate) fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "frame too long"))?;
    to.write_all(&[kind as u8])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(payload)?;
    to.flush()
}

/// Reads one frame of a trusted sender, waiting for it. `most` is its longest payload.
pub(crate) fn read(from: &mut impl Read, most: usize) -> io::Result<(Kind, Zeroizing<Vec<u8>>)> {
    let mut header = [0_u8; HEADER];
    from.read_exact(&mut header)?;
    let (kind, length) = parse(header);
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let kind = Kind::from_byte(kind).ok_or_else(|| refuse("unknown frame"))?;
    if length > most {
        return Err(refuse("frame too long"));
    }
    // Sized at once: a growing buffer would leave unwiped copies of keys behind.
    let mut payload = Zeroizing::new(vec![0_u8; length]);
    from.read_exact(&mut payload)?;
    Ok((kind, payload))
}

/// Puts frames of an untrusted sender together from whatever pieces arrive.
pub(crate) struct Assembler {
    pending: Vec<u8>,
    most: fn(Kind, usize) -> usize,
    output_bytes: usize,
}

impl Assembler {
    /// `most` gives the longest payload of a kind, knowing the bytes outputs may have.
    pub(crate) fn new(output_bytes: usize, most: fn(Kind, usize) -> usize) -> Self {
        Self { pending: Vec::new(), most, output_bytes }
    }

    /// Takes bytes as they came. What is pending never exceeds the longest frame and one
    /// read, because [`Self::next`] is called until it has no more.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole frame, if it has come.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, Vec<u8>)>, BadFrame> {
        let Some(header) = self.pending.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let (byte, length) = parse(*header);
        let kind = Kind::from_byte(byte).ok_or(BadFrame::Unknown(byte))?;
        if length > (self.most)(kind, self.output_bytes) {
            return Err(BadFrame::TooLong(kind));
        }
        if self.pending.len() < HEADER + length {
            return Ok(None);
        }
        let rest = self.pending.split_off(HEADER + length);
        let mut frame = std::mem::replace(&mut self.pending, rest);
        frame.drain(..HEADER);
        Ok(Some((kind, frame)))
    }
}

fn parse([kind, a, b, c, d]: [u8; HEADER]) -> (u8, usize) {
    (kind, u32::from_le_bytes([a, b, c, d]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten(_: Kind, _: usize) -> usize {
        10
    }

    #[test]
    fn frames_survive_any_split() {
        let mut wire = Vec::new();
        write(&mut wire, Kind::Progress, b"abc").unwrap();
        write(&mut wire, Kind::Done, b"").unwrap();
        for cut in 0..wire.len() {
            let mut assembler = Assembler::new(0, ten);
            let mut frames = Vec::new();
            for part in [&wire[..cut], &wire[cut..]] {
                assembler.push(part);
                while let Some(frame) = assembler.next().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [(Kind::Progress, b"abc".to_vec()), (Kind::Done, Vec::new())]);
        }
    }

    #[test]
    fn too_long_frame_is_refused_by_its_header_alone() {
        let mut assembler = Assembler::new(0, ten);
        assembler.push(&[Kind::Output as u8, 11, 0, 0, 0]);
        assert_eq!(assembler.next(), Err(BadFrame::TooLong(Kind::Output)));
        let wire = [Kind::Job as u8, 11, 0, 0, 0];
        assert!(read(&mut wire.as_slice(), 10).is_err());
    }

    #[test]
    fn unknown_frame_is_refused() {
        let mut assembler = Assembler::new(0, ten);
        assembler.push(&[99, 0, 0, 0, 0]);
        assert_eq!(assembler.next(), Err(BadFrame::Unknown(99)));
        assert!(read(&mut [99_u8, 0, 0, 0, 0].as_slice(), 10).is_err());
    }
}
