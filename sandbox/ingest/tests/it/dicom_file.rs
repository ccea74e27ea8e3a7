//! DICOM files made byte by byte.

/// How the elements of a file are written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Explicit,
    Implicit,
}

pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(crate) const UNDEFINED: u32 = u32::MAX;
pub(crate) const ITEM: u32 = 0xFFFE_E000;
pub(crate) const ITEM_END: u32 = 0xFFFE_E00D;
pub(crate) const SEQUENCE_END: u32 = 0xFFFE_E0DD;

/// Elements one after the other.
#[derive(Clone)]
pub(crate) struct Elements {
    form: Form,
    pub(crate) bytes: Vec<u8>,
}

impl Elements {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, bytes: Vec::new() }
    }

    pub(crate) fn put(mut self, tag: u32, vr: &str, value: impl AsRef<[u8]>) -> Self {
        let mut value = value.as_ref().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == "UI" { 0 } else { b' ' });
        }
        self = self.head(tag, vr, u32::try_from(value.len()).unwrap());
        self.bytes.extend(value);
        self
    }

    /// Tag, value representation and a length that may lie.
    pub(crate) fn head(mut self, tag: u32, vr: &str, length: u32) -> Self {
        self = self.tag(tag);
        let long = ["OB", "OW", "SQ", "UN", "UT"].contains(&vr);
        if self.form == Form::Explicit {
            self.bytes.extend(vr.as_bytes());
            self.bytes.extend(if long { &[0, 0][..] } else { &[] });
        }
        let length = length.to_le_bytes();
        let short = self.form == Form::Explicit && !long;
        self.bytes.extend(if short { &length[..2] } else { &length });
        self
    }

    fn tag(mut self, tag: u32) -> Self {
        for half in [tag >> 16, tag & 0xFFFF] {
            self.bytes.extend(u16::try_from(half).unwrap().to_le_bytes());
        }
        self
    }

    /// The start of an item, or a delimiter.
    pub(crate) fn mark(mut self, tag: u32, length: u32) -> Self {
        self = self.tag(tag);
        self.bytes.extend(length.to_le_bytes());
        self
    }

    /// A sequence of one item, both ended by delimiters or both with lengths.
    pub(crate) fn nest(mut self, tag: u32, delimited: bool, item: Self) -> Self {
        let size = u32::try_from(item.bytes.len()).unwrap();
        self = self.head(tag, "SQ", if delimited { UNDEFINED } else { size + 8 });
        self = self.mark(ITEM, if delimited { UNDEFINED } else { size });
        self.bytes.extend(item.bytes);
        if delimited {
            self = self.mark(ITEM_END, 0).mark(SEQUENCE_END, 0);
        }
        self
    }

    /// The whole file, in a transfer syntax.
    pub(crate) fn file(self, syntax: &str) -> Vec<u8> {
        let meta =
            Self::new(Form::Explicit).put(0x0002_0001, "OB", [0, 1]).put(0x0002_0010, "UI", syntax);
        [&[0; 128], &b"DICM"[..], &meta.bytes, &self.bytes].concat()
    }
}
