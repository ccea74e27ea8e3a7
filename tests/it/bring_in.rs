//! A table of a project's own: checked, reviewed, looked up by runs of that project, erased.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;
use sekisho_demo::site::{AgreementFile, Site, StageName, Tool};
use sekisho_proto::v1;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::Code;

use crate::support::{
    desk::{self, NOT_FOUND, REFUSED, RESEARCHER, example, list, refusal, text},
    dummy, log,
    wire::{self, call, channel},
};

const STEWARD: StageName = StageName::Steward;
const USAGE: i32 = 2;
/// SHA-256 of no bytes.
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const DESCRIPTION: &str = r#"
table = "ecog_groups"
about = "Groups of performance status, from a published classification"
key = "ecog"

[[column]]
name = "ecog"
kind = "code"
about = "ECOG performance status"

[[column]]
name = "group"
kind = "code"
about = "group of that status"
"#;
const ROWS: &str = "ecog,group\n0,able\n1,able\n2,limited\n3,limited\n";

/// A table's description, its rows in a file beside it.
struct Files(PathBuf);

impl Files {
    fn write(folder: &Path, description: &str, rows: &str) -> Self {
        let path = folder.join("table.toml");
        fs::write(&path, description).unwrap();
        fs::write(path.with_extension("csv"), rows).unwrap();
        Self(path)
    }

    /// Those of `sdk/examples/burden`.
    fn of_example() -> Self {
        Self(sekisho_tests::root().join("sdk/examples/burden/burden.toml"))
    }

    fn check(&self, site: &Site) -> Tool {
        site.person(RESEARCHER).args(["bring-in", "check"]).arg(&self.0)
    }

    fn submission(&self, site: &Site, project: &str) -> Tool {
        let words = ["bring-in", "submit", "--project", project];
        site.person(RESEARCHER).args(words).arg(&self.0)
    }
}

fn verb(site: &Site, who: StageName, verb: &str, id: &str) -> Tool {
    site.person(who).args(["bring-in", verb, id])
}

fn state(site: &Site, id: &str) -> String {
    let shown = verb(site, RESEARCHER, "show", id).json().unwrap();
    text(&shown["bring_in"], "state")
}

fn ids(found: &Value) -> Vec<String> {
    list(found).iter().map(|one| text(one, "bring_in_id")).collect()
}

#[test]
fn ag_5_a_table_is_reviewed_by_a_steward_before_it_counts() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let files = Files::write(folder.path(), DESCRIPTION, ROWS);
    let checked = files.check(&site).json().unwrap();
    assert_eq!((text(&checked, "table").as_str(), &checked["rows"]), ("ecog_groups", &4.into()));

    let submitted = files.submission(&site, &project).json().unwrap();
    let id = text(&submitted, "bring_in_id");
    assert_eq!(submitted["state"], "BRING_IN_STATE_SUBMITTED");
    assert_eq!(refusal(files.submission(&site, &project)).1, "TABLE_TAKEN");
    let queue = site.person(STEWARD).args(["bring-in", "list"]).json().unwrap();
    assert_eq!(ids(&queue), [id.as_str()]);
    let own = site.person(RESEARCHER).args(["bring-in", "list", "--project", &project]);
    assert_eq!(ids(&own.json().unwrap()), [id.as_str()]);
    for who in [RESEARCHER, StageName::ModuleReviewer] {
        let (status, ..) = refusal(site.person(who).args(["bring-in", "list"]));
        assert_eq!(status, REFUSED, "{who:?} has no queue of tables");
    }

    // The steward reads what was sent, on record; nobody else reads rows or decides.
    let read = folder.path().join("read.csv");
    let rows = |who, file: &Path| verb(&site, who, "show", &id).arg("--rows").arg(file);
    let shown = rows(STEWARD, &read).json().unwrap();
    assert_eq!(fs::read_to_string(&read).unwrap(), ROWS);
    assert_eq!(text(&shown, "description"), DESCRIPTION);
    let other = folder.path().join("other.csv");
    assert_eq!(refusal(rows(RESEARCHER, &other)).0, REFUSED);
    assert_eq!(refusal(verb(&site, RESEARCHER, "approve", &id)).0, REFUSED);
    assert_eq!(refusal(rows(StageName::FirstReviewer, &other)).0, NOT_FOUND);
    assert!(!other.exists());
    assert_eq!(refusal(verb(&site, STEWARD, "refuse", &id)).1, "COMMENT_MISSING");
    let approved = verb(&site, STEWARD, "approve", &id).json().unwrap();
    assert_eq!(approved["state"], "BRING_IN_STATE_APPROVED");
    assert_eq!(refusal(verb(&site, STEWARD, "approve", &id)).1, "WRONG_STATE");

    let withdrawn = verb(&site, RESEARCHER, "withdraw", &id).args(["--reason", "an error in it"]);
    assert_eq!(withdrawn.json().unwrap()["state"], "BRING_IN_STATE_WITHDRAWN");
    let again = text(&files.submission(&site, &project).json().unwrap(), "bring_in_id");
    let no = verb(&site, STEWARD, "refuse", &again).args(["--comment", "where is it from?"]);
    assert_eq!(no.json().unwrap()["decision_comment"], "where is it from?");
    assert_eq!(state(&site, &again), "BRING_IN_STATE_REFUSED");
    assert_eq!(sealed(&site), Vec::<String>::new(), "nothing of either is kept");

    let entries = log::entries(&site);
    for (kind, id) in [
        ("bring_in_submitted", &id),
        ("bring_in_read", &id),
        ("bring_in_decided", &id),
        ("bring_in_withdrawn", &id),
        ("bring_in_decided", &again),
    ] {
        let of = |entry: &&log::Entry| entry.is(kind, "bring_in_id", id);
        let found: Vec<_> = entries.iter().filter(of).collect();
        assert_eq!(found.len(), 1, "{kind} {id}");
        assert_eq!(found[0].event()["table_sha256"], approved["table_sha256"]);
    }
    log::verified(&site);
}

#[test]
fn ri_1_a_table_that_may_tell_of_persons_is_refused_when_it_is_submitted() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let named = DESCRIPTION.replace("\"group\"", "\"birth_date\"");
    let files = Files::write(folder.path(), &named, &ROWS.replace("group", "birth_date"));
    let ran = files.check(&site).arg("--json").end_with(USAGE).unwrap();
    assert!(format!("{ran:?}").contains("identifying_column"), "{ran:?}");
    files.submission(&site, &project).arg("--json").end_with(USAGE).unwrap();
    // Past the command line's own check, the gateway's is met.
    let header = v1::SubmitBringInHeader {
        project_id: project,
        description: named,
        sha256: hex::decode(OF_NOTHING).unwrap(),
    };
    let part = Some(v1::submit_bring_in_request::Part::Header(header));
    let request = v1::SubmitBringInRequest { part }.encode_to_vec();
    let seen = Runtime::new().unwrap().block_on(async {
        let researcher = channel(&site, Some(wire::session(&site, RESEARCHER)));
        call(&researcher, "/sekisho.v1.BringInService/SubmitBringIn", &request).await
    });
    assert_eq!((seen.code, seen.reason.as_str()), (Code::InvalidArgument, "TABLE_IDENTIFYING"));
    let entries = log::entries(&site);
    let refused = entries.iter().find(|entry| entry.kind() == "bring_in_refused_statically");
    assert_eq!(list(&refused.unwrap().event()["codes"])[0], "identifying_column");
    assert_eq!(sealed(&site), Vec::<String>::new());
}

#[test]
fn ag_5_nothing_is_brought_into_a_project_that_may_not_bring_in() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path(), DESCRIPTION, ROWS);
    let agreement = AgreementFile { bring_in: false, ..AgreementFile::for_lung(&staff) };
    let project = desk::open_project(&site, &agreement);
    let (status, _, rule) = refusal(files.submission(&site, &project));
    assert_eq!((status, rule.as_str()), (REFUSED, "AG-5"));
}

#[test]
fn ag_5_an_approved_table_is_looked_up_by_runs_of_its_own_project_until_it_goes() {
    let (site, staff) = Site::staffed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let profile = sekisho_tests::root().join("policies/profiles/emr.toml");
    dummy::seal(&site, &profile, 400, 7, "v1");
    let columns: [(&str, &[&str]); 1] = [("conditions", &["patient", "code"])];
    let project = desk::open_project(&site, &AgreementFile::new("Burden", "emr", &staff, &columns));
    let module = desk::bring_in(&site, &example("burden"), &project);
    let order = || refusal(desk::run_order(&site, &project, &module, &[])).1;
    assert_eq!(order(), "TABLE_NOT_APPROVED", "there is none");
    let files = Files::of_example();
    let id = text(&files.submission(&site, &project).json().unwrap(), "bring_in_id");
    assert_eq!(order(), "TABLE_NOT_APPROVED", "it waits");
    let approved = verb(&site, STEWARD, "approve", &id).json().unwrap();

    let run = desk::succeeded(&site, &project, &module, &[]);
    let pinned = &desk::run_of(&site, &run)["bring_ins"];
    assert_eq!(pinned[0]["table_sha256"], approved["table_sha256"]);
    assert_eq!((list(pinned).len(), &pinned[0]["bring_in_id"]), (1, &id.as_str().into()));
    let release = desk::approved(&site, &desk::ask_release(&site, &run));
    let bundle = folder.path().join("bundle");
    desk::fetch(&site, &release, &bundle);
    let provenance = fs::read(bundle.join("provenance.json")).unwrap();
    let provenance: Value = serde_json::from_slice(&provenance).unwrap();
    assert_eq!(provenance["bring_ins"], *pinned, "the release tells which tables were used");
    let read = |name: &str| fs::read_to_string(bundle.join(name)).unwrap();
    assert!(burden(&read("outputs/burden.json")) > 0.0, "codes were found");

    // Another project has its own tables only.
    let other = desk::open_project(&site, &AgreementFile::new("Other", "emr", &staff, &columns));
    let same = desk::bring_in(&site, &example("burden"), &other);
    let elsewhere = refusal(desk::run_order(&site, &other, &same, &[]));
    assert_eq!(elsewhere.1, "TABLE_NOT_APPROVED");

    verb(&site, STEWARD, "withdraw", &id).args(["--reason", "a mistake"]).succeed().unwrap();
    assert_eq!(order(), "TABLE_NOT_APPROVED", "it was withdrawn");
    let second = text(&files.submission(&site, &project).json().unwrap(), "bring_in_id");
    verb(&site, STEWARD, "approve", &second).succeed().unwrap();
    desk::succeeded(&site, &project, &module, &[]);

    assert_eq!(sealed(&site).len(), 2);
    let close = ["steward", "project", "close", &project, "--reason", "over"];
    site.person(STEWARD).args(close).succeed().unwrap();
    assert_eq!(sealed(&site), Vec::<String>::new());
    let erasure = site.person(STEWARD).args(["steward", "project", "erasure", &project]);
    let erasure = erasure.arg("--out").arg(folder.path().join("erasure")).json().unwrap();
    let keys = list(&erasure["erasure"]["keys"]);
    assert!(keys.contains(&Value::from(second.as_str())), "{keys:?}");
    assert_eq!(state(&site, &second), "BRING_IN_STATE_WITHDRAWN");
    log::verified(&site);
}

/// The one printed figure of the example.
fn burden(output: &str) -> f64 {
    let output: Value = serde_json::from_str(output).unwrap();
    let row = &output["table"]["rows"][0]["cells"];
    let number = list(row).iter().find_map(|cell| cell["number"].as_f64());
    number.unwrap_or_else(|| panic!("{output}"))
}

/// Sealed objects of brought-in tables.
fn sealed(site: &Site) -> Vec<String> {
    let files = walkdir::WalkDir::new(site.root().join("gateway/objects/bring-ins")).into_iter();
    let files = files.filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    files.map(|entry| entry.path().display().to_string()).collect()
}
