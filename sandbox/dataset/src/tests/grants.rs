use std::fs::File;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::*;

fn flipped(keys: &GrantedKeys, place: usize) -> GrantedKeys {
    let mut bytes = keys.danger_to_pipe().to_vec();
    bytes[place] ^= 1;
    GrantedKeys::from_pipe(&bytes).unwrap()
}

#[test]
fn cr_1_another_vault_fails_closed() {
    let site = site();
    let grant = Grant::of(&[("people", &["age"])]);
    let other = MemoryVault::new().unwrap();
    let error = site.open().unwrap().unwrap_granted(&other, &grant).unwrap_err();
    assert_eq!(error.code(), "dataset.sealed");
}

#[test]
fn cr_1_wrong_key_fails_closed() {
    let site = site();
    let version = site.open().unwrap();
    let keys = site.keys(&Grant::of(&[("people", &["town"])]));
    let size = keys.danger_to_pipe().len();
    // The last 32 bytes are the key of `town`, the last column by name.
    let wrong = flipped(&keys, size - 1);
    let table = version.open_table(&wrong, "people", FileCheck::Sha256).unwrap();
    assert_eq!(read_table(&table, &["town"]).unwrap_err().code(), "dataset.parquet");
    assert_eq!(table.dictionary("town").unwrap_err().code(), "dataset.sealed");
    // magic 8, data set 4+5, version 4+2, tables 4, name 4+6: then the footer key.
    let wrong = flipped(&keys, 37);
    let table = version.open_table(&wrong, "people", FileCheck::Sha256).unwrap();
    assert_eq!(read_table(&table, &["patient"]).unwrap_err().code(), "dataset.parquet");
}

#[test]
fn a_column_that_is_not_granted_cannot_be_read() {
    let site = site();
    let table = site.table("people", &["age"]);
    let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["patient", "age"]);
    assert_eq!(read_table(&table, &["age"]).unwrap().len(), DEFAULT_BUCKETS as usize);
    assert_eq!(read_table(&table, &["weight"]).unwrap_err().code(), "dataset.not_granted");
    assert_eq!(table.dictionary("town").unwrap_err().code(), "dataset.not_granted");
    // And not by going round our own reader either.
    for file in table.files() {
        let mut held = file.decryption.column_keys().0;
        held.sort();
        assert_eq!(held, ["age", "patient"]);
        let options =
            ArrowReaderOptions::new().with_file_decryption_properties(Arc::clone(&file.decryption));
        let opened = File::open(&file.path).unwrap();
        let reader =
            ParquetRecordBatchReaderBuilder::try_new_with_options(opened, options).unwrap().build();
        let read = reader.map(|mut batches| batches.next());
        assert!(!matches!(read, Ok(Some(Ok(_)))), "all columns were read");
    }
}

#[test]
fn a_table_that_is_not_granted_cannot_be_opened() {
    let site = site();
    let keys = site.keys(&Grant::of(&[("people", &["age"])]));
    let error = site.open().unwrap().open_table(&keys, "events", FileCheck::Size).unwrap_err();
    assert_eq!(error.code(), "dataset.not_granted");
}

#[test]
fn keys_of_one_version_do_not_open_another() {
    let (one, two) = (site(), site());
    let keys = one.keys(&Grant::of(&[("people", &["age"])]));
    // Same names, other keys: only decryption can tell.
    let table = two.open().unwrap().open_table(&keys, "people", FileCheck::Sha256).unwrap();
    assert_eq!(read_table(&table, &["age"]).unwrap_err().code(), "dataset.parquet");
    let mut next = SealedWriter::create(one.root(), &profile(), &SealOptions::default()).unwrap();
    assert_eq!(next.version(), "v2");
    next.push("people", &people(&people_rows())).unwrap();
    next.push("events", &events(&event_rows())).unwrap();
    let next =
        next.finish(Provenance::default(), &one.vault, &one.identity, &mut |_, _| {}).unwrap();
    let next = SealedVersion::open(&next.folder, &one.identity.verifying()).unwrap();
    let error = next.open_table(&keys, "people", FileCheck::Sha256).unwrap_err();
    assert_eq!(error.code(), "dataset.not_granted");
}

#[test]
fn a_grant_of_what_is_not_there_is_an_error() {
    let site = site();
    for grant in [Grant::of(&[("people", &["shoe_size"])]), Grant::of(&[("pets", &[])])] {
        let error = site.open().unwrap().unwrap_granted(&site.vault, &grant).unwrap_err();
        assert_eq!(error.code(), "dataset.unknown");
    }
}

#[test]
fn cr_1_every_column_has_its_own_key_and_no_statistics() {
    let site = site();
    let table = site.table("people", &["town", "age", "weight", "seen"]);
    for file in table.files() {
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_decryption_properties(Some(Arc::clone(&file.decryption)))
            .parse_and_finish(&File::open(&file.path).unwrap())
            .unwrap();
        assert!(metadata.column_index().is_none());
        for group in metadata.row_groups() {
            assert_eq!(group.columns().len(), 5);
            for column in group.columns() {
                let crypto = column.crypto_metadata();
                let own =
                    matches!(crypto, Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(_)));
                assert!(own, "{} has no key of its own", column.column_path());
                assert!(column.statistics().is_none() && column.bloom_filter_offset().is_none());
                assert!(column.offset_index_offset().is_none());
            }
        }
        // Without any key not even the footer opens.
        let blind = ParquetMetaDataReader::new().parse_and_finish(&File::open(&file.path).unwrap());
        assert!(blind.is_err());
    }
    let (_, mut keys) = table.files()[0].decryption.column_keys();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}
