//! Nothing is plaintext at rest: distinctive values are sealed, read by modules, reviewed,
//! and then looked for in every byte that the site and its people left behind.

use std::{fs, path::Path, sync::Arc, time::Duration};

use sekisho_dataset::{Grant, SealedVersion};
use sekisho_demo::site::{AgreementFile, Site, StageName};
use sekisho_vault::{FileVault, ReceivingKey, VerifyingIdentity};

use crate::support::{
    canaries::{Canaries, Scan},
    clinic::Clinic,
    desk::{self, Analysis, FAILED, RESEARCHER, REVIEWERS, example, guest},
    log,
};

/// Stands in a module's manifest as a choice and in a run's parameters as a value.
const PARAMETER: &str = "PARAMETER-d41c7be05a92";

#[test]
fn cr_1_no_value_of_a_sealed_table_is_in_any_file_of_the_site() {
    let (mut site, staff) = Site::staffed().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let clinic = Clinic::seal(&site, outside.path());
    the_scanner_finds_what_is_there(&site, &clinic);
    let project = desk::open_project(&site, &Clinic::agreement(&staff));
    let said = a_whole_story(&site, &project, outside.path());

    let secrets = secrets();
    log::exported(&site);
    // Once with the database open, its journal included, and once after it was closed.
    for running in [true, false] {
        if !running {
            site.stop().unwrap();
        }
        for canaries in [&clinic.values, &clinic.sites, &secrets] {
            let scan = canaries.hits_below(site.root());
            assert!(scan.hits.is_empty(), "running: {running}\n{:#?}", scan.hits);
            it_was_a_real_look(&scan);
        }
    }
    for (who, text) in &said {
        let shown = clinic.values.hits(&format!("what {who:?} was shown"), text.as_bytes());
        assert!(shown.is_empty(), "{shown:#?}");
    }
    let researcher = said.iter().filter(|(who, _)| *who == RESEARCHER);
    for (_, text) in researcher {
        assert!(clinic.sites.hits("shown", text.as_bytes()).is_empty(), "{text}");
    }
}

/// Nor is any key that would open one, though a run has just used them: whoever has all of
/// the gateway's files has nothing.
#[test]
fn zn_2_the_gateway_opens_no_data_set_with_all_the_keys_it_has() {
    let (mut site, staff) = Site::staffed().unwrap();
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    desk::succeeded(&site, &project, &module, &[]);

    let root = site.root().to_owned();
    let signer = VerifyingIdentity::load(&root.join("worker/ingest-verify.pub")).unwrap();
    let version = SealedVersion::open(&root.join("datasets/lung/v1"), &signer).unwrap();
    let grant = Grant::of(&[("lung", &["patient", "time", "status", "sex"])]);
    let gateway = FileVault::open(&root.join("gateway/vault")).unwrap();
    let refused = version.unwrap_granted(&gateway, &grant).unwrap_err();
    assert_eq!(refused.code(), "dataset.sealed");
    let sealed = root.join("worker/receiving.key.sealed");
    let stolen = FileVault::open(&root.join("gateway/vault")).unwrap();
    assert!(ReceivingKey::open(&sealed, Arc::new(stolen)).is_err());
    let worker = FileVault::open(&root.join("worker/vault")).unwrap();
    assert!(version.unwrap_granted(&worker, &grant).is_err(), "not without the receiving key");
    let worker = ReceivingKey::open(&sealed, Arc::new(worker)).unwrap();
    let keys = version.unwrap_granted(&worker, &grant).unwrap();

    let mut bare = Canaries::default();
    // The pipe's form holds the bare keys between names; its windows cover each of them.
    for (number, window) in keys.danger_to_pipe().windows(32).enumerate() {
        bare.bytes(&format!("column keys at {number}"), window);
    }
    let planted = root.join("gateway/objects/planted");
    fs::write(&planted, hex::encode(keys.danger_to_pipe().as_slice())).unwrap();
    assert!(!bare.hits_below(&root).hits.is_empty(), "the scanner overlooks a key");
    fs::remove_file(planted).unwrap();
    for running in [true, false] {
        if !running {
            site.stop().unwrap();
        }
        let scan = bare.hits_below(&root);
        assert!(scan.hits.is_empty(), "running: {running}\n{:#?}", scan.hits);
        assert!(scan.covers("worker/vault/root-1.key") && scan.covers("gateway/sekisho.db"));
    }
}

/// Runs that read every canary, one rejected, one released, one that fails with the data in
/// its error text, one on dummy data. Returns what everybody saw.
fn a_whole_story(site: &Site, project: &str, outside: &Path) -> Vec<(StageName, String)> {
    let mut said = Vec::new();
    let mut see = |who: StageName, words: &[&str], status: i32| {
        let ran = site.person(who).args(words).end_with(status).unwrap();
        said.push((who, format!("{}{}", ran.stdout, ran.stderr)));
        ran
    };
    let columns = desk::bring_in(site, &guest("columns"), project);
    let run = desk::succeeded(site, project, &columns, &[]);
    let request = desk::ask_release(site, &run);
    let read = see(REVIEWERS[0], &["review", "show", &request, "--outputs"], 0);
    assert!(read.stdout.contains("SITE-"), "the reviewer saw nothing: {}", read.stdout);
    for who in REVIEWERS {
        see(who, &["review", "vote", &request, "reject", "--comment", "small cells"], 0);
    }
    see(RESEARCHER, &["review", "show", &request], 0);
    see(RESEARCHER, &["output", "list", &run], 0);

    let trivial = desk::bring_in(site, &parametrised(outside), project);
    let run = desk::succeeded(site, project, &trivial, &[&format!("word={PARAMETER}")]);
    let release = desk::approved(site, &desk::ask_release(site, &run));
    let bundle = site.root().join("people/suzuki/bundle");
    see(RESEARCHER, &["release", "fetch", &release, "--out", &bundle.to_string_lossy()], 0);

    let talkative = desk::bring_in(site, &guest("error-text-with-data"), project);
    let run = desk::start(site, project, &talkative, &[]);
    desk::finished(site, &run, Duration::from_secs(60));
    see(RESEARCHER, &["run", "show", &run], 0);
    see(RESEARCHER, &["run", "watch", &run], FAILED);

    let dummy = guest("columns");
    let (manifest, component) =
        (dummy.manifest.to_string_lossy(), dummy.component.to_string_lossy());
    see(RESEARCHER, &["try", &manifest, "--component", &component, "--dataset", "clinic"], 0);
    see(RESEARCHER, &["catalog", "show", "clinic"], 0);
    said
}

/// The guest `trivial` under a manifest with a parameter, which it does not look at.
fn parametrised(outside: &Path) -> Analysis {
    let Analysis { manifest, component } = guest("trivial");
    let parameter = format!(
        "\n[[parameters]]\nname = \"word\"\ntitle = \"A word\"\nkind = \"text\"\nchoices = \
         [\"none\", \"{PARAMETER}\"]\ndefault = \"none\"\n"
    );
    let text = fs::read_to_string(manifest).unwrap() + &parameter;
    let manifest = outside.join("analysis.toml");
    fs::write(&manifest, text).unwrap();
    Analysis { manifest, component }
}

/// Parameters and modules must not lie about in the clear either.
fn secrets() -> Canaries {
    const PIECE: usize = 48;
    let mut secrets = Canaries::default();
    secrets.text(PARAMETER);
    for name in ["columns", "trivial", "error-text-with-data"] {
        let module = fs::read(desk::component(name)).unwrap();
        let pieces = module.chunks_exact(PIECE).filter(|piece| distinct(piece) > PIECE / 2);
        let pieces: Vec<_> = pieces.collect();
        assert!(pieces.len() > 20, "{name} is too uniform to be recognised");
        for (number, piece) in pieces.iter().step_by(pieces.len().div_ceil(40)).enumerate() {
            secrets.bytes(&format!("piece {number} of module {name}"), piece);
        }
    }
    let control = fs::read(desk::component("columns")).unwrap();
    assert!(secrets.hits("control", &control).len() > 10);
    secrets
}

fn distinct(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// Control: the same look finds every value in the source, and a file planted in the site.
fn the_scanner_finds_what_is_there(site: &Site, clinic: &Clinic) {
    assert_eq!(clinic.values.hits("source", clinic.source()).len(), 20);
    assert!(clinic.sites.hits("source", clinic.source()).len() > 10);
    let planted = site.root().join("gateway/objects/planted");
    fs::write(&planted, clinic.a_site.as_bytes()).unwrap();
    assert_eq!(clinic.sites.hits_below(site.root()).hits.len(), 1);
    fs::remove_file(planted).unwrap();
    assert!(clinic.sites.hits_below(site.root()).hits.is_empty());
}

/// Databases, objects, data sets, logs, homes and temporary folders were all looked through.
fn it_was_a_real_look(scan: &Scan) {
    for end in [
        "gateway/sekisho.db",
        "logs/gateway.log",
        "logs/worker.log",
        "worker/config.toml",
        "clinic/v1/manifest.json",
        "suzuki/home/session.json",
        "bundle/ro-crate-metadata.json",
        "kato/log.jsonl",
    ] {
        assert!(scan.covers(end), "{end} was not looked through");
    }
    assert!(scan.files.iter().any(|file| file.to_string_lossy().contains("gateway/objects/")));
    assert!(scan.bytes > 1 << 20, "{} bytes", scan.bytes);
}
