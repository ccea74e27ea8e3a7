//! A sorted run: rows that memory had no room for, on disk until they are merged. Its file
//! has no name and its key is never written, so a process that is killed leaves nothing to
//! find and nothing to open.

use std::fs::File;
use std::io::{self, Cursor, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use sekisho_vault::{Context, Key, Zeroizing, open, seal};

use super::columns::TableColumns;
use super::merge::Merge;
use crate::DatasetError;

/// Rows of one sealed part, at most: what merging holds decoded of each run.
pub(super) const PART_ROWS: usize = 16_384;

/// Rows in the order of their tokens, part by part.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Result<RecordBatch, DatasetError>> + 'a>;

/// Takes the next rows of a bucket.
type Part<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), DatasetError>;

#[derive(Debug)]
pub(super) struct SealedRun {
    /// For messages: where the file without a name lies.
    folder: PathBuf,
    file: File,
    key: Key,
    /// The parts of each bucket: where they start and how long they are.
    buckets: Vec<Vec<(u64, usize)>>,
}

impl SealedRun {
    /// Writes the waiting rows.
    pub(super) fn write(
        columns: &TableColumns,
        buckets: u32,
        folder: &Path,
    ) -> Result<Self, DatasetError> {
        let order = columns.order();
        Self::of_buckets(buckets, folder, |bucket, part| {
            let rows = columns.bucket(&order, bucket, buckets).chunks(PART_ROWS);
            rows.into_iter().try_for_each(|rows| part(columns.gather(rows)?))
        })
    }

    /// Writes the rows of several runs as one.
    pub(super) fn merge(runs: &[Self], buckets: u32, folder: &Path) -> Result<Self, DatasetError> {
        Self::of_buckets(buckets, folder, |bucket, part| {
            let mut merge = Merge::new(runs.iter().map(|run| run.rows(bucket)).collect())?;
            while let Some(rows) = merge.next()? {
                part(rows)?;
            }
            Ok(())
        })
    }

    /// Writes what `rows` hands on of each bucket, part by part.
    fn of_buckets(
        buckets: u32,
        folder: &Path,
        rows: impl Fn(u32, Part<'_>) -> Result<(), DatasetError>,
    ) -> Result<Self, DatasetError> {
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(DatasetError::io(folder, "creating a file to sort in"))?;
        let folder = folder.to_owned();
        let mut run = Self { folder, file, key: Key::generate()?, buckets: Vec::new() };
        let mut end = 0;
        for bucket in 0..buckets {
            let mut parts = Vec::new();
            rows(bucket, &mut |rows| {
                let plain = encode(&rows)?;
                let sealed = seal(&run.key, &context(bucket, parts.len() as u64), &plain)?;
                run.file.write_all(&sealed).map_err(run.io("writing a sorted run"))?;
                parts.push((end, sealed.len()));
                end += sealed.len() as u64;
                Ok(())
            })?;
            run.buckets.push(parts);
        }
        Ok(run)
    }

    pub(super) fn rows(&self, bucket: u32) -> Rows<'_> {
        let parts = self.buckets.get(bucket as usize).map(Vec::as_slice).unwrap_or_default();
        let parts = (0..).zip(parts);
        Box::new(parts.map(move |(part, place)| self.part(&context(bucket, part), *place)))
    }

    fn part(&self, context: &Context, place: (u64, usize)) -> Result<RecordBatch, DatasetError> {
        let mut sealed = vec![0; place.1];
        let read = self.file.read_exact_at(&mut sealed, place.0);
        read.map_err(self.io("reading a sorted run"))?;
        let plain = open(&self.key, context, &sealed);
        decode(
            &plain.map_err(|source| DatasetError::Sealed {
                what: "a sorted run".to_owned(),
                source,
            })?,
        )
    }

    fn io(&self, doing: &'static str) -> impl FnOnce(io::Error) -> DatasetError {
        DatasetError::io(&self.folder, doing)
    }
}

fn context(bucket: u32, part: u64) -> Context {
    Context::new("sekisho.dataset.sorted-run").number(u64::from(bucket)).number(part)
}

fn encode(batch: &RecordBatch) -> Result<Zeroizing<Vec<u8>>, DatasetError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(batch.get_array_memory_size() + 4096));
    let mut writer = StreamWriter::try_new(&mut *plain, batch.schema_ref())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(plain)
}

fn decode(plain: &[u8]) -> Result<RecordBatch, DatasetError> {
    let mut reader = StreamReader::try_new(Cursor::new(plain), None)?;
    let empty = RecordBatch::new_empty(reader.schema());
    Ok(reader.next().transpose()?.unwrap_or(empty))
}
