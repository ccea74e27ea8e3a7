//! Persons of two databases that the linkage matrix opens, under the profiles that are shipped.

use std::collections::BTreeSet;

use arrow::array::AsArray as _;
use arrow::datatypes::UInt64Type;
use sekisho_dataset::{common_buckets, read_table};

use crate::site::{Site, json};
use crate::sources::{RECEIPT, opened, profile, put, receipts};

/// The producer's own records of two persons: one whom the receipts know too, spelled
/// otherwise, and one who was born a day later than a namesake there.
fn records(site: &Site) -> serde_json::Value {
    const PERSONS: [&str; 2] = ["ﾅｲｶｸ ﾊﾅｺ,1980/2/26,2", "こうろう たろう,1960-11-04,1"];
    let tables = [
        ("patients", "氏名,住所,被保険者番号", "内閣花子,東京都千代田区,01234567"),
        (
            "conditions",
            "氏名,被保険者番号,傷病名コード,診療開始日",
            "内閣花子,01234567,E11,2024-04-01",
        ),
        (
            "prescriptions",
            "医師氏名,被保険者番号,医薬品コード,区分,実施日,日数",
            "医師一郎,01234567,2171022F1029,1,2024-04-01,28",
        ),
        ("labs", "被保険者番号,検査項目,検査日,結果値", "01234567,3D046,2024-04-01,6.4"),
        (
            "stays",
            "氏名,被保険者番号,入院年月日,退院年月日,転帰",
            "内閣花子,01234567,2024-04-01,2024-04-09,治癒・軽快",
        ),
    ];
    let profile = profile("jisedai_anonymised");
    let files = tables.map(|(table, header, row)| {
        let rows: String = PERSONS.iter().map(|person| format!("{person},{row}\n")).collect();
        let content = format!("カナ氏名,生年月日,性別,{header}\n{rows}");
        format!("{table}={}", put(site, &format!("{table}.csv"), content).display())
    });
    let mut args = vec!["csv", "--profile", &profile];
    files.iter().for_each(|file| args.extend(["--table", file]));
    json(&site.take(&args))
}

fn persons(site: &Site, version: &str, table: &str, column: &str) -> BTreeSet<u64> {
    let opened = opened(site, version, table, &[column]);
    let batches = read_table(&opened, &["patient"]).unwrap();
    let tokens = batches.iter().map(|batch| batch.column(0).as_primitive::<UInt64Type>());
    tokens.flat_map(|tokens| tokens.values().to_vec()).collect()
}

#[test]
fn lk_2_persons_of_the_producer_and_of_the_ndb_meet_and_strangers_do_not() {
    let site = Site::new();
    assert_eq!(records(&site)["patients"], 2);
    assert_eq!(json(&receipts(&site, RECEIPT, &[]))["patients"], 2);
    let versions = ["jisedai_anonymised/v1", "ndb_receipt/v1"];
    assert!(common_buckets(&versions.map(|name| site.version(name))).is_ok());
    let ours = persons(&site, versions[0], "conditions", "code");
    let theirs = persons(&site, versions[1], "sy", "code");
    assert_eq!((ours.len(), theirs.len()), (2, 2));
    assert_eq!(ours.intersection(&theirs).count(), 1, "she meets, his namesake does not");
    assert_eq!(ours, persons(&site, versions[0], "stays", "outcome"));
}
