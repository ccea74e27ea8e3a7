//! Receipts and FHIR resources, under the profiles that are shipped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sekisho_dataset::{FileCheck, Grant, OpenTable};
use serde_json::{Value, json};

use crate::site::{REPOSITORY, Site, json as done};

pub(crate) fn profile(name: &str) -> String {
    format!("{REPOSITORY}/policies/profiles/{name}.toml")
}

pub(crate) fn put(site: &Site, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = site.at(name);
    fs::write(&path, content).unwrap();
    path
}

pub(crate) fn opened(site: &Site, version: &str, table: &str, columns: &[&str]) -> OpenTable {
    let version = site.version(version);
    let worker = site.worker();
    let keys = version.unwrap_granted(&worker, &Grant::of(&[(table, columns)])).unwrap();
    version.open_table(&keys, table, FileCheck::Sha256).unwrap()
}

pub(crate) const RECEIPT: &str = "RE,0001,20240401,2,2,19800226,内閣花子,K-1,ID-0001,ナイカク　ハナコ\n\
IR,1312345,13\nHO,06130012,12,345,1800\nSY,8830592,20240401,1\nSY,2500013,20230105,\n\
SI,112007410,75,1\nIY,610406391,2.0,28\n\
RE,0002,20240401,1,1,19601103,厚労太郎,K-2,ID-0002,コウロウ　タロウ\n\
IR,1398765,13\nHO,06130012,12,678,52000\nSY,4019014,20240410,3\nSI,160008010,21,2\nIY,621939401,1.5,14\n";

pub(crate) fn receipts(site: &Site, content: &str, extra: &[&str]) -> std::process::Output {
    let (encoded, _, lossy) = encoding_rs::SHIFT_JIS.encode(content);
    assert!(!lossy);
    let file = put(site, "receipts.csv", encoded);
    let profile = profile("ndb_receipt");
    let args = ["receipt", "--profile", &profile, "--file", file.to_str().unwrap()];
    let args = [&args[..], &["--encoding", "cp932"], extra].concat();
    site.take(&args)
}

#[test]
fn receipts_become_a_table_for_each_record_type() {
    let site = Site::new();
    let summary = done(&receipts(&site, RECEIPT, &[]));
    assert_eq!(summary["patients"], 2);
    assert_eq!((&summary["rows"]["sy"], &summary["rows"]["iy"]), (&3.into(), &2.into()));
    let conditions = opened(&site, "ndb_receipt/v1", "sy", &["code"]);
    assert_eq!(conditions.dictionary("code").unwrap(), ["2500013", "4019014", "8830592"]);
    let institutions = opened(&site, "ndb_receipt/v1", "ir", &["institution"]);
    let codes = institutions.dictionary("institution").unwrap();
    assert!(codes.len() == 2 && codes.iter().all(|code| code.len() == 16 && code != "1312345"));
}

#[test]
fn records_out_of_place_are_rejected_and_all_rows_accounted_for() {
    let site = Site::new();
    let orphan = format!("SY,8830592,20240401,1\nZZ,1\n{RECEIPT}SI,112007410,75\n");
    let refused = receipts(&site, &orphan, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let summary = done(&receipts(&site, &orphan, &["--max-rejected", "0.5"]));
    let of = |table: &str, what: &str| summary["totals"][table][what].as_u64().unwrap();
    assert_eq!((of("sy", "read"), of("sy", "rejected")), (4, 1));
    assert_eq!((of("re", "read"), of("re", "rejected")), (3, 1), "the unknown record type");
    assert_eq!((of("si", "read"), of("si", "rejected")), (3, 1));
    let codes = rejected(&site, &summary);
    assert_eq!(codes, ["source.unknown_record", "source.orphan_record", "source.bad_row"]);
}

const CORE_LABO: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_CLINS_ObsLabResult_CoreLabo_CS";
const UCUM: &str = "http://unitsofmeasure.org";

fn quantity(value: f64, unit: &str) -> Value {
    json!({ "value": value, "unit": unit, "system": UCUM, "code": unit })
}

/// Ingests resources of two persons, with these conditions, and one result of an item of the
/// list and one of another.
pub(crate) fn fhir(site: &Site, conditions: &str, extra: &[&str]) -> std::process::Output {
    // The other item has a unit that the profile does not know either.
    let results = [("HbA1c-NGSP", quantity(6.4, "%")), ("ZZZ", quantity(1.0, "[ft_i]"))];
    fhir_results(site, conditions, &results, extra)
}

fn fhir_results(
    site: &Site,
    conditions: &str,
    observations: &[(&str, Value)],
    extra: &[&str],
) -> std::process::Output {
    let person = |id: &str, gender: &str| {
        json!({ "resourceType": "Patient", "id": id, "birthDate": "1980-02-26", "gender": gender,
            "name": [{ "text": "内閣 花子" }], "address": [{ "text": "東京都千代田区永田町1-6-1" }] })
    };
    let about = json!({ "reference": "Patient/p1" });
    // The local code of the institution comes first, as in most real resources.
    let coded = |system: &str, code: &str| json!({ "coding": [{ "system": "urn:local", "code": "0815" }, { "system": system, "code": code }] });
    let result = |item: &str, quantity: Value| {
        json!({ "resourceType": "Observation", "subject": about, "code": coded(CORE_LABO, item),
            "effectiveDateTime": "2024-04-01", "valueQuantity": quantity })
    };
    let files: [(&str, Vec<Value>); 5] = [
        ("patients", vec![person("p1", "female"), person("p2", "male")]),
        (
            "encounters",
            vec![json!({ "resourceType": "Encounter", "subject": about,
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" }, "period": { "start": "2024-04-01T09:00:00+09:00" } })],
        ),
        (
            "observations",
            observations.iter().map(|(item, quantity)| result(item, quantity.clone())).collect(),
        ),
        (
            "allergies",
            vec![json!({ "resourceType": "AllergyIntolerance", "patient": about,
            "category": ["food"], "code": { "text": "卵" }, "criticality": "low" })],
        ),
        (
            "medication_requests",
            vec![json!({ "resourceType": "MedicationRequest", "subject": about,
            "medicationCodeableConcept": coded("http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", "2171022F1029"), "authoredOn": "2024-04-01",
            "dispenseRequest": { "expectedSupplyDuration": { "value": 28 } } })],
        ),
    ];
    let mut tables =
        vec![format!("conditions={}", put(site, "conditions.ndjson", conditions).display())];
    for (table, resources) in files {
        let lines: String = resources.iter().map(|resource| format!("{resource}\n")).collect();
        tables.push(format!("{table}={}", put(site, &format!("{table}.ndjson"), lines).display()));
    }
    let profile = profile("emr");
    let mut args = vec!["fhir", "--profile", &profile];
    for table in &tables {
        args.extend(["--table", table]);
    }
    site.take(&[&args, extra].concat())
}

pub(crate) const CONDITION: &str = r#"{"resourceType":"Condition","subject":{"reference":"https://ehr.example/fhir/Patient/p1"},"code":{"coding":[{"system":"http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full","code":"E11"},{"system":"urn:local","code":"0815"}]},"onsetDateTime":"2019-05-01T00:00:00Z"}"#;

#[test]
fn resources_become_rows_and_other_items_are_left_out_by_rule() {
    let site = Site::new();
    let summary = done(&fhir(&site, &format!("{CONDITION}\n\n{CONDITION}\n"), &[]));
    assert_eq!((&summary["patients"], &summary["rows"]["conditions"]), (&2.into(), &2.into()));
    assert_eq!(summary["totals"]["observations"]["removed_by_rule"], 1);
    let patients = opened(&site, "emr/v1", "patients", &["area"]);
    assert_eq!(patients.dictionary("area").unwrap(), ["東京都"]);
    let unique = site.version("emr/v1").manifest().table("patients").unwrap().uniqueness.unwrap();
    assert_eq!((unique.persons, unique.smallest_class, unique.unique_persons), (2, 1, 2));
    assert_eq!(summary["uniqueness"]["patients"]["unique_persons"], 2);
}

#[test]
fn hostile_resources_are_rejected_one_by_one() {
    let site = Site::new();
    let nested = "[".repeat(100_000);
    let long =
        format!("{{\"resourceType\":\"Condition\",\"note\":\"{}\"}}", "x".repeat(10_000_000));
    let bundle = r#"{"resourceType":"Bundle","entry":[]}"#;
    let nobody = r#"{"resourceType":"Condition","code":{"coding":[{"system":"http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full","code":"E11"}]}}"#;
    let lines =
        format!("{CONDITION}\n{nested}\n{long}\n{bundle}\n{nobody}\nnot json\n{CONDITION}\n");
    let summary = done(&fhir(&site, &lines, &["--max-rejected", "0.9"]));
    let conditions = &summary["totals"]["conditions"];
    let of = |what: &str| conditions[what].as_u64().unwrap();
    assert_eq!((of("read"), of("sealed"), of("rejected")), (7, 2, 5));
    assert_eq!(
        rejected(&site, &summary),
        [
            "source.bad_json",
            "source.long_line",
            "source.other_resource",
            "source.missing_value",
            "source.bad_json"
        ]
    );
}

#[test]
fn a_result_keeps_its_unit_and_one_without_or_with_an_unknown_unit_is_rejected() {
    let site = Site::new();
    let local = json!({ "value": 53.0, "unit": "mmol/mol", "system": "urn:local", "code": "7" });
    let results = [
        ("HbA1c-NGSP", quantity(6.4, "%")),
        ("HbA1c-NGSP", quantity(46.0, "mmol/mol")),
        ("Cre", json!({ "value": 0.9, "unit": "mg/dL" })),
        ("HbA1c-NGSP", json!({ "value": 6.4 })),
        ("HbA1c-NGSP", quantity(6.4, "[ft_i]")),
        ("HbA1c-NGSP", local),
    ];
    let condition = format!("{CONDITION}\n");
    let summary = done(&fhir_results(&site, &condition, &results, &["--max-rejected", "0.5"]));
    assert_eq!(summary["totals"]["observations"]["sealed"], 3);
    let observations = opened(&site, "emr/v1", "observations", &["unit", "value"]);
    assert_eq!(observations.dictionary("unit").unwrap(), ["%", "mg/dL", "mmol/mol"]);
    assert_eq!(
        rejected(&site, &summary),
        ["source.missing_unit", "source.undeclared_code", "source.other_code_system"]
    );
}

#[test]
fn codings_of_other_code_systems_are_rejected() {
    let site = Site::new();
    let other = CONDITION.replace("mhlw/CodeSystem/ICD10-2013-full", "other");
    let status = r#""clinicalStatus":{"coding":[{"system":"urn:other","code":"active"}]},"onset"#;
    let lines = format!("{CONDITION}\n{other}\n{}\n", CONDITION.replace("\"onset", status));
    let summary = done(&fhir(&site, &lines, &["--max-rejected", "0.9"]));
    assert_eq!(summary["totals"]["conditions"]["sealed"], 1);
    assert_eq!(rejected(&site, &summary), ["source.other_code_system"; 2]);
    let conditions = opened(&site, "emr/v1", "conditions", &["code"]);
    assert_eq!(conditions.dictionary("code").unwrap(), ["E11"]);
}

#[test]
fn op_1_who_opted_out_stays_out_however_a_resource_refers_to_them() {
    let site = Site::new();
    let versioned = CONDITION.replace("Patient/p1", "Patient/p1/_history/2");
    let optouts = put(&site, "optouts.csv", "id\np1\n");
    fs::set_permissions(&optouts, fs::Permissions::from_mode(0o600)).unwrap();
    let extra = ["--optouts", optouts.to_str().unwrap()];
    let summary = done(&fhir(&site, &format!("{CONDITION}\n{versioned}\n"), &extra));
    // Nobody is left in the tables that are about this person alone: they are sealed empty.
    assert_eq!(summary["totals"]["conditions"]["opted_out"], 2);
    assert_eq!((&summary["patients"], &summary["rows"]["conditions"]), (&1.into(), &0.into()));
    let conditions = opened(&site, "emr/v1", "conditions", &["code"]);
    assert_eq!((conditions.rows(), conditions.dictionary("code").unwrap().len()), (0, 0));
}

#[test]
fn op_1_references_that_name_no_patient_are_rejected() {
    let site = Site::new();
    let about = |subject: &str| CONDITION.replace("https://ehr.example/fhir/Patient/p1", subject);
    let subjects = ["Group/p1", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "Patient/p1?x=1"];
    let lines: String = subjects.iter().map(|subject| about(subject) + "\n").collect();
    let extra = ["--max-rejected", "0.9"];
    let summary = done(&fhir(&site, &format!("{CONDITION}\n{lines}"), &extra));
    assert_eq!(summary["totals"]["conditions"]["sealed"], 1);
    assert_eq!(rejected(&site, &summary), ["source.bad_reference"; 3]);
}

#[test]
fn a_source_without_records_of_a_kind_gives_an_empty_table() {
    let site = Site::new();
    let summary = done(&fhir(&site, "", &[]));
    assert_eq!((&summary["patients"], &summary["rows"]["conditions"]), (&2.into(), &0.into()));
    let kept = RECEIPT.lines().filter(|line| !line.starts_with("IY"));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    let summary = done(&receipts(&site, &kept, &[]));
    assert_eq!((&summary["rows"]["iy"], &summary["rows"]["sy"]), (&0.into(), &3.into()));
    let refused = receipts(&site, "", &[]);
    let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(error["error"]["code"], "dataset.empty");
}

/// Codes of what was wrong with the rejected rows, one for each.
fn rejected(site: &Site, summary: &Value) -> Vec<String> {
    let rejects = summary["rejects"].as_str().unwrap();
    let shown = done(&site.run(&["rejects", rejects], &["--zone"]));
    let rows = shown.as_array().unwrap().iter();
    rows.map(|row| row["errors"][0][0].as_str().unwrap().to_owned()).collect()
}
