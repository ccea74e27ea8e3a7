use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, LargeStringArray, StringArray};
use arrow::datatypes::Int32Type;
use pages::Limits;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;

/// Smaller than ours, so that a test needs no file that is as large.
const SMALL: Limits = Limits { page: 64 << 10, pages: 100 << 10, batch: 256 << 10 };

fn file(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> tempfile::NamedTempFile {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut written = tempfile::NamedTempFile::new().unwrap();
    let mut writer =
        ArrowWriter::try_new(written.as_file_mut(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    written
}

/// Compressed, so that little stands for much.
fn packed() -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
}

fn texts(value: &str, times: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![value; times]))
}

fn judged(written: &tempfile::NamedTempFile, limits: Limits) -> Result<usize, Refused> {
    let opened = File::open(written.path()).unwrap();
    let loaded = ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()).unwrap();
    pages::batch_rows(&opened, loaded.metadata(), limits)
}

fn code(error: IngestError) -> (&'static str, String) {
    let IngestError::Source { errors, .. } = error else { panic!("{error:?}") };
    (errors[0].code, errors[0].column.clone())
}

#[test]
fn one_long_value_of_a_dictionary_is_decoded_for_few_rows_at_once() {
    let value = "x".repeat(1 << 20);
    let indices = vec![0; 4_096];
    let values = LargeStringArray::from(vec![value.as_str()]);
    // Arrow's own types, and with them the hint to copy each value of 4 GiB in all.
    let column = DictionaryArray::<Int32Type>::new(indices.into(), Arc::new(values));
    let large = arrow::compute::cast(&column.slice(0, 256), &DataType::LargeUtf8).unwrap();
    let written = file(vec![("text", large)], packed().build());
    assert!(written.as_file().metadata().unwrap().len() < 64 << 10);
    let mut rows = ParquetRows::open(written.path(), "").unwrap();
    assert!(rows.advance().unwrap());
    assert!(rows.columns[0].len() <= 64, "{} rows at once", rows.columns[0].len());
    assert_eq!(rows.fields().unwrap()[0].len(), 1 << 20);
    let rest = std::iter::repeat_with(|| rows.advance().unwrap()).take_while(|more| *more);
    assert_eq!(rest.count(), 255);
}

#[test]
fn short_values_are_decoded_for_many_rows_at_once() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4_096));
    let written = file(vec![("n", numbers), ("t", texts("west", 4_096))], packed().build());
    assert_eq!(judged(&written, pages::LIMITS).unwrap(), 1_024);
}

#[test]
fn a_page_above_the_limit_is_refused_by_its_header() {
    let (long, short) = ("x".repeat(80 << 10), "x".repeat(60 << 10));
    for dictionary in [true, false] {
        let properties = || packed().set_dictionary_enabled(dictionary).build();
        let large = file(vec![("a", texts("x", 1)), ("b", texts(&long, 1))], properties());
        assert_eq!(judged(&large, SMALL), Err(Refused::LargePage("b".to_owned())));
        let small = file(vec![("b", texts(&short, 1))], properties());
        assert_eq!(judged(&small, SMALL), Ok(4), "as many as the batch may hold");
        let both = vec![("a", texts(&short, 1)), ("b", texts(&short, 1))];
        let both = judged(&file(both, properties()), SMALL);
        assert_eq!(both, Err(Refused::LargePage("b".to_owned())), "together");
    }
}

#[test]
fn texts_written_one_upon_the_other_are_refused() {
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = packed().set_writer_version(version).set_dictionary_enabled(false);
            let properties = properties.set_encoding(encoding).build();
            let written = file(vec![("text", texts("west", 9))], properties);
            let error = ParquetRows::open(written.path(), "").err().unwrap();
            assert_eq!(code(error), ("source.page_encoding", "text".to_owned()));
        }
    }
}

/// Every byte of a small file, one after the other, is made another: whatever comes of it, it
/// is rows or an error with a code, and never a panic.
#[test]
fn a_damaged_file_is_refused_and_stops_nothing() {
    let written = file(vec![("n", texts("west", 9))], WriterProperties::default());
    let good = fs::read(written.path()).unwrap();
    let damaged = tempfile::NamedTempFile::new().unwrap();
    let mut refused = 0;
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 0x5a;
        fs::write(damaged.path(), &bytes).unwrap();
        let read = || -> Result<(), IngestError> {
            let mut rows = ParquetRows::open(damaged.path(), "")?;
            while rows.advance()? {}
            Ok(())
        };
        if let Err(error) = read() {
            assert!(code(error).0.starts_with("source."));
            refused += 1;
        }
    }
    assert!(refused > good.len() / 4, "{refused} of {}", good.len());
}

#[test]
fn a_panic_of_the_reader_is_an_answer() {
    assert_eq!(guarded(|| 1), Some(1));
    assert_eq!(guarded(|| [0][usize::from(std::env::args().count() > 0)]), None);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let written = file(vec![("n", texts("west", 9))], WriterProperties::default());
    let mut rows = ParquetRows::open(written.path(), "").unwrap();
    assert!(rows.advance().unwrap());
    let mut other = OpenOptions::new().append(true).open(written.path()).unwrap();
    other.write_all(b"more").unwrap();
    let end = std::iter::repeat_with(|| rows.advance()).find(|next| !matches!(next, Ok(true)));
    assert_eq!(code(end.unwrap().unwrap_err()).0, "source.changed");
}
