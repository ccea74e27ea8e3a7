//! The attributes of one file up to the last that can be read. Nothing is recursive, and no
//! length is believed: what is read of a file is bounded before it is read.

use std::io::{self, Read};

use super::attributes::{Attribute, BURNED_IN, TRANSFER_SYNTAX, Tag};
use crate::process::{FieldError, MAX_FIELD_BYTES};

/// Most bytes read of one file, whatever it says of itself.
const MAX_HEADER: u64 = 1 << 20;
/// Most sequences and items of unknown length in one another.
const MAX_NESTING: usize = 64;
/// A length that is told by a delimiter instead.
const UNDEFINED: u32 = u32::MAX;

const ITEM: Tag = 0xFFFE_E000;
const ITEM_END: Tag = 0xFFFE_E00D;
const SEQUENCE_END: Tag = 0xFFFE_E0DD;

/// Value representations whose length has four bytes, two reserved ones before it.
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
/// Those whose length has two.
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

/// Whether elements say their value representation. All is little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Explicit,
    Implicit,
}

/// Reads a file as far as its header can hold one of the wanted attributes; their values, as
/// they stand there, in the order of `wanted`. The first wanted is [`TRANSFER_SYNTAX`].
pub(super) fn read(
    source: impl Read,
    wanted: &[&Attribute],
) -> Result<Vec<Option<Vec<u8>>>, FieldError> {
    let mut bytes = Bytes { source, left: MAX_HEADER };
    let mut start = [0; 132];
    match bytes.fill(&mut start) {
        Ok(()) if start.ends_with(b"DICM") => {}
        Err(error) if error.code == "source.unreadable" => return Err(error),
        _ => return Err(wrong("source.not_dicom", "not a DICOM file")),
    }
    let mut values = vec![None; wanted.len()];
    let (mut form, mut meta, mut before) = (Form::Explicit, true, 0);
    while let Some(tag) = bytes.tag()? {
        if meta && tag >> 16 != TRANSFER_SYNTAX.tag >> 16 {
            meta = false;
            form = form_of(values.first().and_then(Option::as_deref))?;
        }
        if tag <= before {
            return Err(bad("an element stands twice or out of order"));
        }
        before = tag;
        if tag > BURNED_IN.tag {
            break;
        }
        let (vr, length) = bytes.element(form)?;
        let place = wanted.iter().zip(&mut values).find(|(attribute, _)| attribute.tag == tag);
        match place {
            Some((attribute, value)) => *value = Some(bytes.value(attribute, vr, length)?),
            None if length == UNDEFINED => bytes.skip_sequence(inner(form, vr)?)?,
            None => bytes.skip(length)?,
        }
    }
    Ok(values)
}

/// How a transfer syntax writes elements (PS3.5 annex A). Compressed pictures do not matter
/// here, a compressed header does.
fn form_of(syntax: Option<&[u8]>) -> Result<Form, FieldError> {
    let syntax = syntax.unwrap_or_default();
    let syntax = String::from_utf8_lossy(syntax);
    let name = syntax.trim_end_matches(['\0', ' ']);
    let Some(name) = name.strip_prefix("1.2.840.10008.1.2") else {
        return Err(wrong("source.transfer_syntax", "not a transfer syntax that can be read"));
    };
    match name {
        "" => Ok(Form::Implicit),
        ".1" | ".5" => Ok(Form::Explicit),
        ".1.99" | ".4.95" | ".4.205" => {
            Err(wrong("source.deflated", "the header is compressed; write the file without that"))
        }
        _ if name.starts_with(".4.") => Ok(Form::Explicit),
        _ => Err(wrong("source.transfer_syntax", "not a transfer syntax that can be read")),
    }
}

/// How the items of a value of undefined length are written.
fn inner(form: Form, vr: Option<[u8; 2]>) -> Result<Form, FieldError> {
    match vr.as_ref() {
        Some(b"UN") => Ok(Form::Implicit),
        None | Some(b"SQ" | b"OB" | b"OW") => Ok(form),
        Some(_) => Err(bad("a plain value has no length")),
    }
}

struct Bytes<R> {
    source: R,
    left: u64,
}

impl<R: Read> Bytes<R> {
    /// The next tag; `None` where the file ends instead.
    fn tag(&mut self) -> Result<Option<Tag>, FieldError> {
        self.spend(4)?;
        let mut tag = Vec::with_capacity(4);
        let read = self.source.by_ref().take(4).read_to_end(&mut tag);
        read.map_err(|error| unreadable(&error))?;
        match tag.as_slice() {
            [] => Ok(None),
            [group, more, element, rest] => {
                let half = |low, high| Tag::from(u16::from_le_bytes([low, high]));
                Ok(Some(half(*group, *more) << 16 | half(*element, *rest)))
            }
            _ => Err(cut()),
        }
    }

    /// Value representation, where the form says it, and length.
    fn element(&mut self, form: Form) -> Result<(Option<[u8; 2]>, u32), FieldError> {
        if form == Form::Implicit {
            return Ok((None, self.u32()?));
        }
        let mut vr = [0; 2];
        self.fill(&mut vr)?;
        if SHORT.contains(&&vr) {
            return Ok((Some(vr), self.u16()?.into()));
        }
        if !LONG.contains(&&vr) {
            return Err(bad("an element has no known value representation"));
        }
        self.skip(2)?;
        Ok((Some(vr), self.u32()?))
    }

    /// The value of an attribute that is wanted.
    fn value(
        &mut self,
        attribute: &Attribute,
        vr: Option<[u8; 2]>,
        length: u32,
    ) -> Result<Vec<u8>, FieldError> {
        let of = |code, reason: String| {
            let column = attribute.keyword.to_owned();
            Err(FieldError { code, column, reason })
        };
        if vr.is_some_and(|vr| vr != *attribute.vr) || length == UNDEFINED {
            let wanted = String::from_utf8_lossy(attribute.vr);
            return of("source.bad_type", format!("not of the value representation {wanted}"));
        }
        if length as usize > MAX_FIELD_BYTES {
            let reason = format!("{length} bytes, at most {MAX_FIELD_BYTES} are taken");
            return of("source.long_field", reason);
        }
        let mut value = vec![0; length as usize];
        self.fill(&mut value)?;
        Ok(value)
    }

    /// Reads over the items of a value of undefined length.
    fn skip_sequence(&mut self, form: Form) -> Result<(), FieldError> {
        let mut open = vec![Level { item: false, form }];
        while let Some(&Level { item, form }) = open.last() {
            if open.len() > MAX_NESTING {
                let reason = format!("more than {MAX_NESTING} sequences and items in one another");
                return Err(wrong("source.deep_nesting", &reason));
            }
            let tag = self.tag()?.ok_or_else(cut)?;
            match (item, tag) {
                (false, ITEM) => match self.u32()? {
                    UNDEFINED => open.push(Level { item: true, form }),
                    length => self.skip(length)?,
                },
                (false, SEQUENCE_END) | (true, ITEM_END) => {
                    self.u32()?;
                    open.pop();
                }
                (true, tag) if tag >> 16 != ITEM >> 16 => match self.element(form)? {
                    (vr, UNDEFINED) => {
                        open.push(Level { item: false, form: inner(form, vr)? });
                    }
                    (_, length) => self.skip(length)?,
                },
                _ => return Err(bad("a delimiter stands out of place")),
            }
        }
        Ok(())
    }

    fn skip(&mut self, length: u32) -> Result<(), FieldError> {
        let length = u64::from(length);
        self.spend(length)?;
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink());
        match skipped {
            Ok(skipped) if skipped == length => Ok(()),
            Ok(_) => Err(cut()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), FieldError> {
        self.spend(buffer.len() as u64)?;
        self.source.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            _ => unreadable(&error),
        })
    }

    /// Before so many bytes are read.
    fn spend(&mut self, length: u64) -> Result<(), FieldError> {
        self.left = self.left.checked_sub(length).ok_or_else(|| {
            let reason = format!("the header is longer than {MAX_HEADER} bytes");
            wrong("source.long_header", &reason)
        })?;
        Ok(())
    }

    fn u16(&mut self) -> Result<u16, FieldError> {
        let mut buffer = [0; 2];
        self.fill(&mut buffer)?;
        Ok(u16::from_le_bytes(buffer))
    }

    fn u32(&mut self) -> Result<u32, FieldError> {
        let mut buffer = [0; 4];
        self.fill(&mut buffer)?;
        Ok(u32::from_le_bytes(buffer))
    }
}

/// A sequence, or an item in one, that is not over yet.
#[derive(Clone, Copy)]
struct Level {
    item: bool,
    form: Form,
}

fn cut() -> FieldError {
    wrong("source.cut_file", "the file ends within its header")
}

fn bad(reason: &str) -> FieldError {
    wrong("source.bad_dicom", reason)
}

/// A file that could not be read is rejected like a wrong one: there are others.
pub(super) fn unreadable(error: &io::Error) -> FieldError {
    wrong("source.unreadable", &format!("reading failed: {}", error.kind()))
}

pub(super) fn wrong(code: &'static str, reason: &str) -> FieldError {
    FieldError { code, column: String::new(), reason: reason.to_owned() }
}
