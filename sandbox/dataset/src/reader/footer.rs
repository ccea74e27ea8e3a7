use std::fs::File;
use std::sync::Arc;

use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader as _, Length as _};

/// Length of the footer and magic bytes, at the very end of a file (Parquet format).
const TAIL: u64 = 8;

/// Reads and decrypts the footer of a sealed file. parquet-rs takes a file that is in the clear
/// as it is, though it was given keys; here only one that says to be encrypted is looked into,
/// and nothing but AES-GCM under the footer's key makes the rest of it come out.
pub(super) fn read(
    file: &File,
    decryption: &Arc<FileDecryptionProperties>,
) -> Result<ParquetMetaData, ParquetError> {
    let general = |why: &str| ParquetError::General(why.to_owned());
    let length = file.len();
    let start = |bytes: u64| length.checked_sub(bytes).ok_or_else(|| general("cut short"));
    let tail = file.get_bytes(start(TAIL)?, 8)?;
    let told = FooterTail::try_from(tail.as_ref())?;
    if !told.is_encrypted_footer() {
        return Err(general("not sealed"));
    }
    let bytes = told.metadata_length() as u64 + TAIL;
    let footer = file.get_bytes(start(bytes)?, told.metadata_length() + 8)?;
    // It could have been changed meanwhile; from here on only this copy is looked at.
    if !footer.ends_with(&tail) {
        return Err(general("changed while it was read"));
    }
    let mut reader =
        ParquetMetaDataReader::new().with_decryption_properties(Some(Arc::clone(decryption)));
    reader.try_parse_sized(&footer, length)?;
    reader.finish()
}
