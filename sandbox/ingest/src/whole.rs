use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::IngestError;

/// Writes a file that others may read, whole or not at all: once this returns it outlives a
/// loss of power. What stood there is replaced.
pub(crate) fn write_whole(
    path: &Path,
    content: &[u8],
    doing: &'static str,
) -> Result<(), IngestError> {
    let mut hidden = OsString::from(path);
    hidden.push(".new");
    let written = write(Path::new(&hidden), path, content);
    written.map_err(|source| IngestError::Io { path: path.to_owned(), doing, source })
}

fn write(hidden: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // What lies there, by accident or by plan, is never written through.
    match fs::remove_file(hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(hidden)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(hidden, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v1.intake.json");
        for content in ["first and longer", "second"] {
            write_whole(&path, content.as_bytes(), "testing").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A link that lies in the way is replaced, and what it leads to is left alone.
        let stranger = dir.path().join("stranger");
        fs::write(&stranger, "own").unwrap();
        for name in ["v1.intake.json", "v1.intake.json.new"] {
            let _ = fs::remove_file(dir.path().join(name));
            std::os::unix::fs::symlink(&stranger, dir.path().join(name)).unwrap();
            write_whole(&path, b"second", "testing").unwrap();
            assert_eq!(fs::read_to_string(&stranger).unwrap(), "own", "{name}");
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
        }
        // What cannot be finished leaves what was there.
        fs::create_dir(dir.path().join("v1.intake.json.new")).unwrap();
        assert_eq!(write_whole(&path, b"third", "testing").unwrap_err().code(), "ingest.io");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    }
}
