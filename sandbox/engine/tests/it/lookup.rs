//! Columns looked up in a table that a researcher brought in.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use sekisho_bring_in::Files;
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::cell::Value;

use crate::support::{Job, Memory, failure, grant, guest, job, report, root, table, visits};

/// A table with scores and groups of sites; of the north there are none in the data, of the
/// west there is no score.
fn regions() -> Files {
    let column = |name: &str, kind: &str| {
        format!("[[column]]\nname = \"{name}\"\nkind = \"{kind}\"\nabout = \"{name}\"\n")
    };
    let description = format!(
        "table = \"region\"\nabout = \"Regions\"\nkey = \"site\"\n{}{}{}{}",
        column("site", "code"),
        column("group", "code"),
        column("beds", "integer"),
        column("score", "number"),
    );
    let csv = "site,group,beds,score\nnorth,rural,20,0.5\neast,urban,900,1.5\nwest,rural,40,\n";
    Files { description: description.into_bytes(), csv: csv.into() }
}

/// A guest whose code column is looked up by the site instead, and which weighs by score.
fn looking_up(name: &str) -> Job {
    let mut job = job(name);
    let score = r#"name = "region.score", kind = "float", by = "site""#;
    job.manifest = job
        .manifest
        .replace(
            r#"name = "site", kind = "code""#,
            r#"name = "region.group", kind = "code", by = "site""#,
        )
        .replace(r#"["east", "west"] },"#, r#"["rural", "urban"] },"#)
        .replace("visits.site", "visits.region.group")
        .replace(r#"name = "weight", kind = "float""#, score);
    job.bring_ins = vec![regions()];
    job
}

/// 14 patients with I10, of whom 12 have E11 and 2 the unscored J45 as well, and 3 with J45
/// alone.
fn conditions() -> Memory {
    let (mut tokens, mut codes) = (Vec::new(), Vec::new());
    for patient in 0..17_u64 {
        let of_one: &[u32] = match patient {
            0..12 => &[0, 1],
            12..14 => &[1, 2],
            _ => &[2],
        };
        tokens.extend(of_one.iter().map(|_| patient << 58));
        codes.extend(of_one.iter().copied().map(Some));
    }
    let codes: ArrayRef = Arc::new(UInt32Array::from(codes));
    let columns = vec![("code", ColumnKind::Code, codes)];
    Memory::new(2).table("conditions", &tokens, columns, &[("code", &["E11", "I10", "J45"])])
}

#[test]
fn the_example_sums_scores_of_the_table_that_lies_beside_it() {
    let (component, manifest) = guest("burden");
    let file = |name: &str| std::fs::read(root().join("sdk/examples/burden").join(name)).unwrap();
    let job = Job {
        component,
        manifest,
        view: vec![grant("conditions", &["code"])],
        bring_ins: vec![Files { description: file("burden.toml"), csv: file("burden.csv") }],
        data: Arc::new(conditions()),
        ..job("trivial")
    };
    let row = &table(&report(job).outputs[0])[0];
    assert_eq!(row[0], Value::Count(14), "those with J45 alone have no score");
    assert_eq!(row[1], Value::Number(12.0 * (2.0 + 1.0) + 2.0));
}

#[test]
fn a_cohort_guest_reads_looked_up_codes_and_numbers() {
    let label = |text: &str| Value::Label(text.to_owned());
    let rows = table(&report(looking_up("by-site")).outputs[0]);
    assert_eq!(rows[0], [label("rural"), Value::Count(100)], "no score, no mean");
    assert_eq!(rows[1], [label("urban"), Value::Count(200), Value::Number(1.5)]);
}

#[test]
fn a_patient_guest_sees_looked_up_codes_as_positions_in_its_manifest() {
    let mut job = looking_up("misbehaving-patient");
    job.parameters =
        vec![crate::support::parameter("behaviour", v1::parameter::Value::Text("none".to_owned()))];
    // The guest counts its first code as the east's: here those are the rural sites.
    let by_site = table(&report(job).outputs[0]);
    assert_eq!((&by_site[0][1], &by_site[1][1]), (&Value::Count(100), &Value::Count(200)));
}

#[test]
fn a_row_filter_names_columns_of_the_dataset_alone() {
    let mut job = looking_up("trivial");
    job.view[0].row_filter = "site = 'west' OR weight IS NULL".to_owned();
    let Value::Count(patients) = table(&report(job).outputs[0])[0][0] else { panic!() };
    assert!(patients > 100 && patients < 300, "{patients}");
    for filter in ["region.score > 1", "\"region.score\" > 1", "score > 1", "\"$0\" = 0"] {
        let mut job = looking_up("trivial");
        job.view[0].row_filter = filter.to_owned();
        let failed = failure(job);
        assert_eq!((failed.class, failed.code), (FailureClass::Environment, "row_filter"));
    }
}

#[test]
fn invariant_9_what_a_lookup_needs_must_be_granted_and_brought_in() {
    let refused = |change: &dyn Fn(&mut Job)| {
        let mut job = looking_up("trivial");
        change(&mut job);
        let failed = failure(job);
        assert_eq!(failed.class, FailureClass::ContractViolation);
        assert_eq!(failed.usage.rows_read, 0, "before the guest starts");
        failed.code
    };
    let manifest = |from: &'static str, to: &'static str| {
        move |job: &mut Job| {
            assert!(job.manifest.contains(from), "{from}");
            job.manifest = job.manifest.replace(from, to);
        }
    };
    assert_eq!(refused(&|job| job.view = vec![grant("visits", &["weight"])]), "not_granted");
    assert_eq!(refused(&|job| job.bring_ins.clear()), "not_brought_in");
    assert_eq!(refused(&manifest("region.score", "region.scores")), "not_brought_in");
    assert_eq!(refused(&manifest("region.score", "regions.score")), "not_brought_in");
    assert_eq!(refused(&manifest("region.score", "region.beds")), "column_kind");
    assert_eq!(refused(&manifest("by = \"site\"", "by = \"weight\"")), "column_kind");
    assert_eq!(refused(&|job| job.bring_ins.push(regions())), "bring_in_twice");
}

#[test]
fn ri_1_a_table_that_fails_its_checks_is_not_looked_into() {
    let mut job = looking_up("trivial");
    job.bring_ins[0].csv.extend(b"090-1234-5678,rural,1,1\n");
    let failed = failure(job);
    assert_eq!((failed.class, failed.code), (FailureClass::ContractViolation, "bring_in"));
}

#[test]
fn nothing_is_looked_up_by_an_identifier() {
    let mut job = looking_up("by-site");
    job.data = Arc::new(visits(300).tokens("visits", "site"));
    let failed = failure(job);
    assert_eq!((failed.class, failed.code), (FailureClass::ContractViolation, "lookup_by_token"));
}
