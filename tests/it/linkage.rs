//! Joined views (連結): what may be analysed together, since when, and that persons meet.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use arrow::{array::AsArray as _, datatypes::UInt64Type};
use sekisho_dataset::{Profile, dummy::generate};
use sekisho_demo::site::{AgreementFile, JoinedGrant, Site, Staff, StageName, TableGrant};
use serde_json::Value;

use crate::support::{
    desk::{self, RESEARCHER, example, list, refusal, text},
    dummy, log,
};

const PATIENTS: u32 = 300;
const SEED: u64 = 11;
const RULE: &str = "pseudonymised_public";

#[test]
fn lk_1_anonymised_databases_are_joined_by_person_and_the_kinds_never() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let people = sealed(&site, folder.path(), "people", &[]);
    let care = sealed(&site, folder.path(), "care", &[]);
    let project = desk::open_project(&site, &agreement(&staff, "people", "care"));
    let module = desk::bring_in(&site, &example("crosstab"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    assert_eq!(text(&desk::run_of(&site, &run)["joined"][0], "dataset_id"), "care");
    desk::ask_release(&site, &run);
    let outputs = desk::checked_outputs(&site, &run);
    assert_eq!(outputs, tried(&site, &[&people, &care]), "the server and `sekisho try` differ");
    assert_eq!(counted(&outputs), expected(&care), "persons did not meet");

    let named = [("holds = \"anonymised_info\"", "holds = \"pseudonymised_info\"")];
    sealed(&site, folder.path(), "people", &[named[0], ("id = \"people\"", "id = \"named\"")]);
    assert_eq!(desk::not_recorded(&site, &agreement(&staff, "named", "care")), "LINKAGE_CLOSED");
    let strangers = [("\"linkable\"", "\"other\""), ("id = \"people\"", "id = \"strangers\"")];
    sealed(&site, folder.path(), "people", &strangers);
    assert_eq!(desk::not_recorded(&site, &agreement(&staff, "strangers", "care")), "NOT_JOINABLE");
    let mut twice = agreement(&staff, "people", "care");
    twice.joined[0].tables.push(grant("labs", &["item"]));
    assert_eq!(desk::not_recorded(&site, &twice), "AGREEMENT_INVALID");
    log::verified(&site);
}

/// The pair that the first rule of the matrix opens, under the profiles that are shipped.
#[test]
fn lk_1_the_producers_anonymised_information_is_joined_with_the_ndb() {
    let (site, staff) = Site::staffed().unwrap();
    for name in ["jisedai_anonymised", "ndb_receipt", "jisedai"] {
        let profile = sekisho_tests::root().join(format!("policies/profiles/{name}.toml"));
        dummy::seal(&site, &profile, PATIENTS, SEED, "v1");
    }
    let joined = |ours: &str| {
        let columns: [(&str, &[&str]); 1] = [("patients", &["patient", "sex"])];
        let mut agreement = AgreementFile::new("Joined", ours, &staff, &columns);
        agreement.joined.push(JoinedGrant {
            dataset_id: "ndb_receipt".to_owned(),
            dataset_version: "v1".to_owned(),
            tables: vec![grant("sy", &["patient", "code"])],
        });
        agreement
    };
    desk::open_project(&site, &joined("jisedai_anonymised"));
    assert_eq!(desk::not_recorded(&site, &joined("jisedai")), "NOT_JOINABLE");
}

/// Two sources that know the same persons by kana name, birth date and sex, and spell them
/// differently; one also knows somebody else.
#[test]
fn lk_2_persons_whom_two_sources_spell_differently_meet() {
    const KANA: [&str; 3] = ["アオキ　ハナコ", "ｲﾄｳ ﾊﾅｺ", "うえだ はなこ"];
    const SAME: [&str; 3] = ["あおき はなこ", "イトウハナコ", "ｳｴﾀﾞﾊﾅｺ"];
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut people, mut conditions) =
        ("kana,born,sex_code,birth_year,sex\n".to_owned(), "kana,born,sex_code,code\n".to_owned());
    let mut labs = "kana,born,sex_code,item,value\n".to_owned();
    for (person, (first, second)) in
        (1..=20).flat_map(|day| KANA.iter().zip(SAME).map(move |names| (day, names)))
    {
        people.push_str(&format!("{first},1950/4/{person},2,1950,2\n"));
        conditions.push_str(&format!("{second},1950-04-{person:02},２,E11\n"));
        labs.push_str(&format!("{second},1950-04-{person:02},２,ALB,4.1\n"));
    }
    conditions.push_str("ドコカ　ダレカ,1950-04-01,2,E11\n");
    let known =
        ("kind = \"patient\"", "kind = \"patient\", source = [\"kana\", \"born\", \"sex_code\"]");
    ingested(&site, folder.path(), "people", known, &[("patients", &people)]);
    ingested(&site, folder.path(), "care", known, &[("conditions", &conditions), ("labs", &labs)]);

    let project = desk::open_project(&site, &agreement(&staff, "people", "care"));
    let module = desk::bring_in(&site, &example("crosstab"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    desk::ask_release(&site, &run);
    // The module counts those whose age and sex the first source tells.
    assert_eq!(counted(&desk::checked_outputs(&site, &run)), [60, 0]);
}

#[test]
fn lk_3_pseudonymised_joins_wait_for_the_date_that_a_steward_sets() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["people", "care"] {
        let kind = ("holds = \"anonymised_info\"", "holds = \"pseudonymised_info\"");
        sealed(&site, folder.path(), name, &[kind]);
    }
    let wanted = agreement(&staff, "people", "care");
    assert_eq!(rule(&site)["open"], false);
    assert_eq!(desk::not_recorded(&site, &wanted), "LINKAGE_CLOSED");

    let date = |who, words: &[&str]| {
        site.person(who).args(["steward", "linkage", "date", RULE]).args(words)
    };
    let (status, ..) = refusal(date(RESEARCHER, &["--from", "2026-04-01T00:00:00+09:00"]));
    assert_eq!(status, desk::REFUSED);
    let lawful = ["steward", "linkage", "date", "anonymised_public_2024", "--close"];
    let (_, reason, _) = refusal(site.person(StageName::Steward).args(lawful));
    assert_eq!(reason, "NO_SUCH_RULE", "the law's own dates are nobody's to change");

    date(StageName::Steward, &["--from", "2199-04-01T00:00:00+09:00"]).succeed().unwrap();
    assert_eq!(desk::not_recorded(&site, &wanted), "LINKAGE_CLOSED", "the day has not come");
    date(StageName::Steward, &["--from", "2026-04-01T00:00:00+09:00"]).succeed().unwrap();
    assert_eq!(rule(&site)["open"], true);
    let project = desk::open_project(&site, &wanted);
    let module = desk::bring_in(&site, &example("crosstab"), &project);
    desk::succeeded(&site, &project, &module, &[]);

    date(StageName::Steward, &["--close"]).succeed().unwrap();
    let (status, _, cited) = refusal(desk::run_order(&site, &project, &module, &[]));
    assert_eq!((status, cited.as_str()), (desk::REFUSED, "LK-1"));
    let set = log::entries(&site);
    assert_eq!(set.iter().filter(|entry| entry.is("linkage_date_set", "rule", RULE)).count(), 3);
    log::verified(&site);
}

#[test]
fn lk_3_a_joined_run_that_waits_ends_unread_when_its_rule_is_closed() {
    let (mut site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["people", "care"] {
        let kind = ("holds = \"anonymised_info\"", "holds = \"pseudonymised_info\"");
        sealed(&site, folder.path(), name, &[kind]);
    }
    let date = |site: &Site, words: &[&str]| {
        let steward = site.person(StageName::Steward);
        steward.args(["steward", "linkage", "date", RULE]).args(words).succeed().unwrap();
    };
    date(&site, &["--from", "2026-04-01T00:00:00+09:00"]);
    let project = desk::open_project(&site, &agreement(&staff, "people", "care"));
    let module = desk::bring_in(&site, &example("crosstab"), &project);
    site.kill_worker().unwrap();
    let runs = [&[][..], &["suppress_below=10"]]
        .map(|parameters| desk::start(&site, &project, &module, parameters));
    date(&site, &["--from", "2199-04-01T00:00:00+09:00"]);
    site.start_worker().unwrap();
    for run in &runs {
        let seen = desk::finished(&site, run, Duration::from_secs(60));
        assert_eq!(seen["state"], "RUN_STATE_CANCELLED", "{seen}");
    }
    let leased =
        |run: &String| log::entries(&site).iter().any(|e| e.is("run_leased", "run_id", run));
    assert!(!runs.iter().any(leased), "no worker had it");
    log::verified(&site);
}

/// Seals dummy rows of a test profile, with words changed, and registers them.
fn sealed(site: &Site, folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let path = profile(folder, name, changes);
    dummy::seal(site, &path, PATIENTS, SEED, "v1");
    path
}

/// Seals tables of identified persons as a steward does, and registers them.
fn ingested(site: &Site, folder: &Path, name: &str, change: (&str, &str), tables: &[(&str, &str)]) {
    let mut ingest =
        site.ingest_everybody("csv").arg("--profile").arg(profile(folder, name, &[change]));
    for (table, rows) in tables {
        let file = folder.join(format!("{table}.csv"));
        fs::write(&file, rows).unwrap();
        ingest = ingest.arg("--table").arg(format!("{table}={}", file.display()));
    }
    site.register(&ingest.arg("--json").succeed().unwrap()).unwrap();
}

/// A test profile with words changed.
fn profile(folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let source = sekisho_tests::root().join(format!("tests/data/joined_{name}.toml"));
    let text = fs::read_to_string(source).unwrap();
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let id = Profile::parse(&text).unwrap().id;
    let path = folder.join(format!("{id}.toml"));
    fs::write(&path, text).unwrap();
    path
}

fn grant(table: &str, columns: &[&str]) -> TableGrant {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    TableGrant { table: table.to_owned(), columns, row_filter: String::new() }
}

fn agreement(staff: &Staff, people: &str, care: &str) -> AgreementFile {
    let columns: [(&str, &[&str]); 1] = [("patients", &["patient", "birth_year", "sex"])];
    let mut agreement = AgreementFile::new("Joined", people, staff, &columns);
    agreement.joined.push(JoinedGrant {
        dataset_id: care.to_owned(),
        dataset_version: "v1".to_owned(),
        tables: vec![
            grant("conditions", &["patient", "code"]),
            grant("labs", &["patient", "item", "value"]),
        ],
    });
    agreement
}

fn rule(site: &Site) -> Value {
    let rules = site.person(RESEARCHER).args(["catalog", "linkage"]).json().unwrap();
    list(&rules).iter().find(|rule| rule["rule_id"] == RULE).unwrap().clone()
}

fn tried(site: &Site, profiles: &[&Path]) -> Vec<Value> {
    let analysis = example("crosstab");
    let tool = site.person(RESEARCHER).arg("try").arg(&analysis.manifest);
    let tool = tool.arg("--component").arg(&analysis.component);
    let tool = profiles.iter().fold(tool, |tool, profile| tool.arg("--profile").arg(profile));
    let size =
        ["--patients", &PATIENTS.to_string(), "--seed", &SEED.to_string()].map(str::to_owned);
    list(&tool.args(size).json().unwrap()["outputs"]).to_vec()
}

/// Patients by condition, over all ages and both sexes, as the module counted them.
fn counted(outputs: &[Value]) -> Vec<u64> {
    let mut counts = vec![0, 0];
    for row in list(&outputs[0]["output"]["table"]["rows"]) {
        let cells = list(&row["cells"]);
        let condition = usize::from(cells[2]["label"] == "I10");
        counts[condition] += cells[3]["count"].as_u64().unwrap();
    }
    counts
}

/// Distinct patients by condition in the dummy rows. Everybody has an age and a sex, so each
/// is counted once if and only if the two datasets meet.
fn expected(care: &Path) -> Vec<u64> {
    let profile = Profile::parse(&fs::read_to_string(care).unwrap()).unwrap();
    let tables = generate(&profile, PATIENTS, SEED).unwrap();
    let rows = &tables.iter().find(|table| table.name == "conditions").unwrap().rows;
    let patients = rows["patient"].as_primitive::<UInt64Type>();
    let codes = rows["code"].as_string::<i32>();
    let pairs = patients.values().iter().zip(codes);
    let pairs: BTreeSet<_> = pairs.map(|(patient, code)| (code.unwrap(), *patient)).collect();
    let count = |code| pairs.iter().filter(|(found, _)| *found == code).count() as u64;
    ["E11", "I10"].map(count).to_vec()
}
