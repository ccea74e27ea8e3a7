//! A regulator's inquiry, from a released table to the persons of one of its cells, and who
//! may not even know that there is such a thing.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Duration};

use prost::Message as _;
use sekisho_demo::site::{AgreementFile, Site, Staff, StageName, Tool};
use sekisho_proto::v1;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{
    desk::{self, REFUSED, RESEARCHER, example, list, refusal, text},
    log,
    wire::{self, call, channel},
};

const FIRST: StageName = StageName::Steward;
const SECOND: StageName = StageName::SecondSteward;
const CASE: &str = "PMDA-2026-00017";
const NOWHERE: &str = "/sekisho.v1.NoService/NoMethod";

#[test]
fn ri_2_two_stewards_and_the_identified_zone_find_exactly_the_patients_of_the_cell() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Staff { producer: staff.university.clone(), ..Staff::default() };
    let stranger = refusal(site.roster_entry(SECOND, &elsewhere));
    assert_eq!(stranger.1, "ROLE_OF_PRODUCER", "stewards are the producer's staff");
    hire_second(&site, &staff);
    let source = named_lung(&site, folder.path());
    let release = released(&site, &staff);

    let ordered = order(&site, FIRST, &release, "female", CASE).json().unwrap();
    let id = text(&ordered, "reidentification_id");
    let word = |who, verb: &str| site.person(who).args(["reidentification", verb, &id]);
    let (status, _, rule) = refusal(word(FIRST, "confirm"));
    assert_eq!((status, rule.as_str()), (REFUSED, "RI-2"), "one person is not two");
    let file = folder.path().join("order.json");
    let early = word(SECOND, "fetch").arg("--out").arg(&file);
    assert_eq!(refusal(early).1, "WRONG_STATE", "there is nothing before a second person");
    word(SECOND, "confirm").succeed().unwrap();
    assert_eq!(refusal(word(SECOND, "confirm")).1, "WRONG_STATE");
    sealed(&site, &id);
    word(FIRST, "fetch").arg("--out").arg(&file).succeed().unwrap();

    // The zone does not guess that nobody opted out.
    reidentify(&site, folder.path(), &file).arg("--show").end_with(2).unwrap();
    let told = || reidentify(&site, folder.path(), &file).arg("--no-optouts");
    let found = told().arg("--show").json().unwrap();
    let ids: BTreeSet<&str> = list(&found["ids"]).iter().map(|id| id.as_str().unwrap()).collect();
    let females: BTreeSet<&str> = source.iter().map(String::as_str).collect();
    assert!(females.len() > 50);
    assert_eq!(ids, females);
    assert_eq!(found["not_disclosed"], 0);
    let kept = told().succeed().unwrap();
    assert!(!format!("{kept:?}").contains("KANJA"), "ids are shown only when asked for");
    let kept = site.root().join(format!("identified/reidentified/{id}.sealed"));
    let kept = site.identified("reidentified").arg(kept).json().unwrap();
    assert_eq!(kept["ids"], found["ids"]);
    // Whoever opted out since is counted and not named.
    let optouts = folder.path().join("optouts.csv");
    fs::write(&optouts, format!("id\n{}\n", source[0])).unwrap();
    let fewer = reidentify(&site, folder.path(), &file).arg("--show").arg("--optouts");
    let fewer = fewer.arg(&optouts).json().unwrap();
    assert_eq!(fewer["not_disclosed"], 1);
    assert!(!list(&fewer["ids"]).contains(&source[0].as_str().into()));
    // A word of the order changed, and the zone refuses it.
    let changed = fs::read_to_string(&file).unwrap().replace("pmda", "fda");
    fs::write(&file, changed).unwrap();
    told().arg("--show").end_with(1).unwrap();

    let entries = log::entries(&site);
    for kind in ["ordered", "confirmed", "sealed", "fetched"] {
        let kind = format!("reidentification_{kind}");
        let of = |entry: &&log::Entry| entry.is(&kind, "reidentification_id", &id);
        assert_eq!(entries.iter().filter(of).count(), 1, "{kind}");
    }
    log::verified(&site);
}

#[test]
fn ri_2_without_a_case_number_or_a_fresh_assertion_nothing_is_ordered() {
    let (site, _) = Site::staffed().unwrap();
    let some = "release_01900000000070008000000000000001";
    for case in ["", "none", "PMDA 1"] {
        assert_eq!(refusal(order(&site, FIRST, some, "female", case)).1, "CASE_NUMBER");
    }
    let bare = v1::OrderReidentificationRequest {
        case_number: CASE.to_owned(),
        recipient: v1::InquiryRecipient::Pmda.into(),
        purpose: v1::InquiryPurpose::Approval.into(),
        release_id: some.to_owned(),
        output: "by_sex".to_owned(),
        key: vec!["female".to_owned()],
        step_up: None,
    };
    let stale = v1::StepUp {
        step_up_id: "stepup_01900000000070008000000000000001".to_owned(),
        credential_json: "{}".to_owned(),
    };
    let used = v1::OrderReidentificationRequest { step_up: Some(stale), ..bare.clone() };
    Runtime::new().unwrap().block_on(async {
        let steward = channel(&site, Some(wire::session(&site, FIRST)));
        let method = "/sekisho.v1.ReidentificationService/OrderReidentification";
        for (request, reason) in [(bare, "REQUIRED"), (used, "STEP_UP_UNKNOWN")] {
            let seen = call(&steward, method, &request.encode_to_vec()).await;
            assert_eq!(seen.reason, reason, "{seen:?}");
        }
    });
    let listed = site.person(FIRST).args(["reidentification", "list"]).json().unwrap();
    assert_eq!(list(&listed).len(), 0);
}

#[test]
fn ri_3_an_order_for_another_recipient_or_purpose_is_refused() {
    let (site, _) = Site::staffed().unwrap();
    let method = "/sekisho.v1.ReidentificationService/OrderReidentification";
    Runtime::new().unwrap().block_on(async {
        let steward = channel(&site, Some(wire::session(&site, FIRST)));
        let step_up = v1::StepUp {
            step_up_id: "stepup_01900000000070008000000000000001".to_owned(),
            credential_json: "{}".to_owned(),
        };
        for (recipient, purpose, reason) in [(6, 1, "RECIPIENT"), (2, 2, "PURPOSE")] {
            let request = v1::OrderReidentificationRequest {
                case_number: CASE.to_owned(),
                recipient,
                purpose,
                release_id: "release_01900000000070008000000000000001".to_owned(),
                output: "by_sex".to_owned(),
                key: vec![],
                step_up: Some(step_up.clone()),
            };
            let seen = call(&steward, method, &request.encode_to_vec()).await;
            assert_eq!(seen.reason, reason, "{seen:?}");
        }
    });
}

#[test]
fn ri_2_to_everybody_but_stewards_the_methods_do_not_exist() {
    let (site, _) = Site::staffed().unwrap();
    let methods = ["Order", "Confirm", "Fetch"].map(|verb| format!("{verb}Reidentification"));
    let methods = methods.into_iter().chain(["ListReidentifications".to_owned()]);
    let methods: Vec<String> =
        methods.map(|name| format!("/sekisho.v1.ReidentificationService/{name}")).collect();
    Runtime::new().unwrap().block_on(async {
        for who in StageName::ALL.into_iter().filter(|who| *who != FIRST) {
            let caller = channel(&site, Some(wire::session(&site, who)));
            for message in [&[][..], &[0xfa, 0x01, 0xff][..]] {
                let nowhere = call(&caller, NOWHERE, message).await;
                for method in &methods {
                    let seen = call(&caller, method, message).await;
                    let told = (seen.code, seen.reason.as_str());
                    assert_eq!(told, (nowhere.code, nowhere.reason.as_str()), "{who:?} {method}");
                }
            }
            // Nor does asking for an assertion tell the methods from ones that do not exist.
            let begin = |method: &str| {
                let (method, request) = (method.to_owned(), vec![]);
                v1::BeginStepUpRequest { method, request }.encode_to_vec()
            };
            let step_up = "/sekisho.v1.SessionService/BeginStepUp";
            let nowhere = call(&caller, step_up, &begin(NOWHERE)).await;
            assert_eq!(nowhere.reason, "NO_DECISION");
            for method in &methods {
                let seen = call(&caller, step_up, &begin(method)).await;
                assert_eq!((seen.code, seen.reason), (nowhere.code, nowhere.reason.clone()));
            }
        }
    });
    let help = site.person(RESEARCHER).arg("--help").succeed().unwrap();
    assert!(!format!("{help:?}").contains("reidentification"));
}

fn hire_second(site: &Site, staff: &Staff) {
    let added = site.roster_entry(SECOND, staff).json().unwrap();
    site.enrol(SECOND, &text(&added, "invitation")).unwrap();
}

/// Seals the lung data under ids of persons; gives the ids of the women.
fn named_lung(site: &Site, folder: &Path) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(sekisho_tests::root().join(path)).unwrap();
    let profile = read("policies/profiles/lung.toml");
    let profile = profile.replace("source = \"@row\"", "source = \"id\"");
    let profile = profile.replace("id = \"lung\"", "id = \"named\"");
    fs::write(folder.join("named.toml"), profile).unwrap();
    let (mut csv, mut females) = (String::new(), Vec::new());
    for (number, line) in read("tests/data/lung.csv").lines().enumerate() {
        let id = if number == 0 { "id".to_owned() } else { format!("KANJA-{number:04}") };
        csv.push_str(&format!("{id},{line}\n"));
        if line.split(',').nth(4) == Some("2") {
            females.push(id);
        }
    }
    fs::write(folder.join("named.csv"), csv).unwrap();
    let sealed = site.ingest_everybody("csv").arg("--profile").arg(folder.join("named.toml"));
    let table = format!("lung={}", folder.join("named.csv").display());
    site.register(&sealed.args(["--table", &table, "--json"]).succeed().unwrap()).unwrap();
    females
}

/// Survival by sex over those persons, released.
fn released(site: &Site, staff: &Staff) -> String {
    let columns: [(&str, &[&str]); 1] = [("lung", &["patient", "time", "status", "sex"])];
    let project = desk::open_project(site, &AgreementFile::new("Named", "named", staff, &columns));
    let module = desk::bring_in(site, &example("km-by-sex"), &project);
    let run = desk::succeeded(site, &project, &module, &[]);
    desk::approved(site, &desk::ask_release(site, &run))
}

fn order(site: &Site, who: StageName, release: &str, key: &str, case: &str) -> Tool {
    site.person(who)
        .args(["reidentification", "order", "--case", case, "--recipient", "pmda"])
        .args(["--release", release, "--output", "by_sex", "--key", key])
}

/// Waits until the tokens are there.
fn sealed(site: &Site, id: &str) {
    let mut last = Value::Null;
    for _ in 0..600 {
        last = site.person(SECOND).args(["reidentification", "list"]).json().unwrap();
        let found = list(&last).iter().find(|one| one["reidentification_id"] == id).unwrap();
        match found["state"].as_str().unwrap() {
            "REIDENTIFICATION_STATE_CONFIRMED" => thread::sleep(Duration::from_millis(200)),
            "REIDENTIFICATION_STATE_SEALED" => return,
            other => panic!("{other}"),
        }
    }
    panic!("never sealed: {last}");
}

fn reidentify(site: &Site, folder: &Path, order: &Path) -> Tool {
    site.identified("reidentify")
        .arg("--order")
        .arg(order)
        .arg("--gateway-key")
        .arg(site.root().join("worker/ticket-verify.pub"))
        .arg("--profile")
        .arg(folder.join("named.toml"))
        .arg("--table")
        .arg(format!("lung={}", folder.join("named.csv").display()))
}
