use sekisho_dataset::{ColumnSpec, Kind, Rule};

/// Group and element number of an attribute, `0xGGGG_EEEE`.
pub(super) type Tag = u32;

/// One attribute of an image (PS3.6 of the DICOM standard).
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) tag: Tag,
    /// Value representation.
    pub(super) vr: &'static [u8; 2],
    /// Its keyword, which is what a profile calls it.
    pub(super) keyword: &'static str,
    content: Content,
}

/// What an attribute may say of a person, and so which rules let it pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A word somebody typed or a device was set to. It passes when the profile declares it,
    /// when enough persons share it, as a number or a date, as a keyed code, or scrubbed.
    Word,
    /// It names a person or one of their records: it passes as a keyed code.
    Identifier,
}

use Content::{Identifier, Word};

const fn attribute(
    tag: Tag,
    vr: &'static [u8; 2],
    keyword: &'static str,
    content: Content,
) -> Attribute {
    Attribute { tag, vr, keyword, content }
}

/// Says how the rest of the file is written down.
pub(super) const TRANSFER_SYNTAX: Attribute =
    attribute(0x0002_0010, b"UI", "TransferSyntaxUID", Identifier);
/// Says how its texts are encoded.
pub(super) const CHARACTER_SET: Attribute =
    attribute(0x0008_0005, b"CS", "SpecificCharacterSet", Word);
/// Says whether the picture holds text.
pub(super) const BURNED_IN: Attribute = attribute(0x0028_0301, b"CS", "BurnedInAnnotation", Word);

/// All that can be read of an image. Whatever is not here stays behind even when a profile
/// names it: comments, telephone numbers, sequences, private attributes (DP-6).
pub(super) const READABLE: &[Attribute] = &[
    attribute(0x0008_0008, b"CS", "ImageType", Word),
    attribute(0x0008_0016, b"UI", "SOPClassUID", Word),
    attribute(0x0008_0018, b"UI", "SOPInstanceUID", Identifier),
    attribute(0x0008_0020, b"DA", "StudyDate", Word),
    attribute(0x0008_0021, b"DA", "SeriesDate", Word),
    attribute(0x0008_0022, b"DA", "AcquisitionDate", Word),
    attribute(0x0008_0050, b"SH", "AccessionNumber", Identifier),
    attribute(0x0008_0060, b"CS", "Modality", Word),
    attribute(0x0008_0070, b"LO", "Manufacturer", Word),
    attribute(0x0008_0080, b"LO", "InstitutionName", Identifier),
    attribute(0x0008_1030, b"LO", "StudyDescription", Word),
    attribute(0x0008_103E, b"LO", "SeriesDescription", Word),
    attribute(0x0008_1090, b"LO", "ManufacturerModelName", Word),
    attribute(0x0010_0010, b"PN", "PatientName", Identifier),
    attribute(0x0010_0020, b"LO", "PatientID", Identifier),
    attribute(0x0010_0021, b"LO", "IssuerOfPatientID", Identifier),
    attribute(0x0010_0030, b"DA", "PatientBirthDate", Word),
    attribute(0x0010_0040, b"CS", "PatientSex", Word),
    attribute(0x0010_1020, b"DS", "PatientSize", Word),
    attribute(0x0010_1030, b"DS", "PatientWeight", Word),
    attribute(0x0018_0010, b"LO", "ContrastBolusAgent", Word),
    attribute(0x0018_0015, b"CS", "BodyPartExamined", Word),
    attribute(0x0018_0020, b"CS", "ScanningSequence", Word),
    attribute(0x0018_0050, b"DS", "SliceThickness", Word),
    attribute(0x0018_0060, b"DS", "KVP", Word),
    attribute(0x0018_0080, b"DS", "RepetitionTime", Word),
    attribute(0x0018_0081, b"DS", "EchoTime", Word),
    attribute(0x0018_0087, b"DS", "MagneticFieldStrength", Word),
    attribute(0x0018_0088, b"DS", "SpacingBetweenSlices", Word),
    attribute(0x0018_1030, b"LO", "ProtocolName", Word),
    attribute(0x0018_1150, b"IS", "ExposureTime", Word),
    attribute(0x0018_1151, b"IS", "XRayTubeCurrent", Word),
    attribute(0x0018_1152, b"IS", "Exposure", Word),
    attribute(0x0018_1210, b"SH", "ConvolutionKernel", Word),
    attribute(0x0018_5100, b"CS", "PatientPosition", Word),
    attribute(0x0018_5101, b"CS", "ViewPosition", Word),
    attribute(0x0020_000D, b"UI", "StudyInstanceUID", Identifier),
    attribute(0x0020_000E, b"UI", "SeriesInstanceUID", Identifier),
    attribute(0x0020_0011, b"IS", "SeriesNumber", Word),
    attribute(0x0020_0013, b"IS", "InstanceNumber", Word),
    attribute(0x0020_0060, b"CS", "Laterality", Word),
    attribute(0x0020_0062, b"CS", "ImageLaterality", Word),
    attribute(0x0028_0002, b"US", "SamplesPerPixel", Word),
    attribute(0x0028_0008, b"IS", "NumberOfFrames", Word),
    attribute(0x0028_0010, b"US", "Rows", Word),
    attribute(0x0028_0011, b"US", "Columns", Word),
    attribute(0x0028_0030, b"DS", "PixelSpacing", Word),
    attribute(0x0028_0100, b"US", "BitsAllocated", Word),
    attribute(0x0028_0101, b"US", "BitsStored", Word),
];

impl Attribute {
    /// Whether the column's rule may let this attribute pass; else why not.
    pub(super) fn fits(&self, column: &ColumnSpec) -> Result<(), &'static str> {
        // Columns of other kinds hold nothing but numbers and dates.
        let bounded = column.kind != Kind::Code
            || !column.codes.is_empty()
            || matches!(
                column.rule,
                Rule::Rare { .. } | Rule::FreeText | Rule::Bands { .. } | Rule::DateTo(_)
            );
        let token = column.kind == Kind::Patient || matches!(column.rule, Rule::Token { .. });
        match self.content {
            _ if token => Ok(()),
            Identifier => Err("it names a person or a record and needs the rule `token`"),
            Word if bounded => Ok(()),
            Word => Err("it needs declared codes, or the rule rare_below or free_text"),
        }
    }
}
