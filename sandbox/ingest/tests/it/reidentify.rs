//! A regulator's inquiry looked up in a source of each kind that an ingest reads.

use std::fs;
use std::io::Write as _;

use arrow::array::AsArray as _;
use arrow::datatypes::UInt64Type;
use sekisho_dataset::read_table;
use sekisho_vault::{Context, ReceivingPublic, SigningIdentity, seal_parcel};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::dicom::{Archive, IMAGE};
use crate::intake::{Ward, rows};
use crate::parquet::{columns, parquet, seal};
use crate::site::{REPOSITORY, Site, json as done};
use crate::sources::{CONDITION, RECEIPT, fhir, opened, profile, receipts};

/// Asks for everybody in this table of a version, as the gateway and a worker would, and looks
/// them up in the source that `words` give.
fn found(site: &Site, version: &str, table: &str, words: &[&str]) -> Value {
    let table = opened(site, version, table, &[]);
    let patient = [table.patient_column()];
    let mut tokens = Vec::new();
    for batch in read_table(&table, &patient).unwrap() {
        tokens.extend(batch.column(0).as_primitive::<UInt64Type>().values().to_vec());
    }
    tokens.sort_unstable();
    tokens.dedup();
    let order = json!({
        "reidentification_id": "reidentification_1", "case_number": "PMDA-2026-1",
        "recipient": "pmda", "purpose": "approval", "ordered_by": "person_1",
        "confirmed_by": "person_2", "patients": tokens.len(),
    });
    let order = order.to_string();
    let gateway = SigningIdentity::generate().unwrap();
    let context =
        Context::new("sekisho.reidentification.tokens.v1").bytes(&Sha256::digest(order.as_bytes()));
    let zone = ReceivingPublic::load(&site.at("identified/receiving.pub")).unwrap();
    let plain: Vec<u8> = tokens.iter().flat_map(|token| token.to_be_bytes()).collect();
    let file = json!({
        "signature": hex::encode(gateway.sign("sekisho.v1.Reidentification", order.as_bytes())),
        "sealed_tokens": hex::encode(seal_parcel(&zone, &context, &plain).unwrap()),
        "order": order,
    });
    let [order, key] = ["order.json", "gateway.pub"].map(|name| site.at(name));
    fs::write(&order, file.to_string()).unwrap();
    fs::write(&key, gateway.verifying().to_hex()).unwrap();
    let [order, key] = [&order, &key].map(|path| path.to_str().unwrap());
    let args = ["reidentify", "--order", order, "--gateway-key", key, "--no-optouts", "--show"];
    let found = done(&site.run(&[&args, words].concat(), &["--zone"]));
    assert_eq!(found["found"].as_u64().unwrap(), tokens.len() as u64, "{found}");
    assert_eq!(
        (&found["not_disclosed"], &found["case_number"]),
        (&0.into(), &"PMDA-2026-1".into())
    );
    found
}

#[test]
fn ri_2_rows_that_are_wrong_are_passed_over_and_counted() {
    let ward = Ward::new();
    done(&ward.seal(&[]));
    // Rows without a person, and one of a person with something else that is wrong.
    let wrong = "only,three,fields\n,厚労　三郎,30,東,\n00000021,厚労　太郎,four,東,\n";
    ward.put("stays.csv", rows().replacen('\n', &format!("\n{wrong}"), 1).as_bytes());
    let words = ward.words();
    let found = found(&ward.0, "ward/v1", "stays", &words.each_ref().map(String::as_str)[1..]);
    assert_eq!((&found["found"], &found["unreadable_rows"]), (&19.into(), &2.into()));
}

#[test]
fn ri_2_persons_are_found_in_receipts() {
    let site = Site::new();
    done(&receipts(&site, RECEIPT, &[]));
    let (profile, file) = (profile("ndb_receipt"), site.at("receipts.csv"));
    let words = ["--format", "receipt", "--encoding", "cp932", "--profile", &profile, "--file"];
    let found =
        found(&site, "ndb_receipt/v1", "re", &[&words[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(found["ids"].as_array().unwrap().len(), 2);
}

#[test]
fn ri_2_persons_are_found_in_resources() {
    let site = Site::new();
    done(&fhir(&site, &format!("{CONDITION}\n"), &[]));
    let conditions = fs::OpenOptions::new().append(true).open(site.at("conditions.ndjson"));
    conditions.unwrap().write_all(b"not json\n").unwrap();
    let tables = [
        "patients",
        "encounters",
        "conditions",
        "observations",
        "allergies",
        "medication_requests",
    ];
    let tables =
        tables.map(|name| format!("{name}={}", site.at(&format!("{name}.ndjson")).display()));
    let profile = profile("emr");
    let mut words = vec!["--format", "fhir", "--profile", &profile];
    words.extend(tables.iter().flat_map(|table| ["--table", table]));
    let found = found(&site, "emr/v1", "patients", &words);
    assert_eq!((&found["ids"], &found["unreadable_rows"]), (&json!(["P1", "P2"]), &1.into()));
}

#[test]
fn ri_2_persons_are_found_in_parquet() {
    let site = Site::new();
    done(&seal(&site, "parquet", &parquet(columns())));
    let (profile, table) = (site.at("checks.toml"), site.at("source"));
    let table = format!("checks={}", table.display());
    let words = ["--format", "parquet", "--profile", profile.to_str().unwrap(), "--table", &table];
    assert_eq!(found(&site, "checks/v1", "checks", &words)["ids"], json!(["P1", "P2"]));
}

#[test]
fn ri_2_persons_are_found_in_images() {
    let archive = Archive::of(&[("a.dcm", IMAGE.file()), ("b.dcm", b"no image".to_vec())]);
    done(&archive.seal(&["--max-rejected", "0.5"]));
    let profile = format!("{REPOSITORY}/policies/profiles/imaging.toml");
    let table = format!("images={}", archive.0.at("images").display());
    let words = ["--format", "dicom", "--profile", &profile, "--table", &table];
    let found = found(&archive.0, "imaging/v1", "images", &words);
    assert_eq!((&found["ids"], &found["unreadable_rows"]), (&json!(["PID-0001"]), &1.into()));
}
