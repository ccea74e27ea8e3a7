//! What is shown of every profile that is shipped, by sealing dummy rows under it.

use super::*;

fn shipped() -> Vec<Profile> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/profiles");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn sealed(root: &Path, profile: &Profile) -> SealedVersion {
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    dummy::seal(profile, 40, 3, root, (&vault, &identity)).unwrap()
}

#[test]
fn every_version_reports_how_unique_its_persons_are() {
    let dir = tempfile::tempdir().unwrap();
    for profile in shipped() {
        let version = sealed(dir.path(), &profile);
        let tables = version.manifest().tables.iter();
        let counted: Vec<_> =
            tables.filter_map(|table| Some((table.patients, table.uniqueness?))).collect();
        assert!(!counted.is_empty(), "{} says nothing of its persons", profile.id);
        for (patients, note) in counted {
            assert_eq!(note.persons, patients, "{}: persons, not rows", profile.id);
            assert!((1..=patients).contains(&note.smallest_class), "{}", profile.id);
            assert!(note.unique_persons <= note.persons_below_min_cell, "{}", profile.id);
        }
    }
}

#[test]
fn dp_4_versions_whose_days_would_tell_a_shift_are_not_joined() {
    let dir = tempfile::tempdir().unwrap();
    let moved = shipped().into_iter().find(|profile| profile.id == "jisedai").unwrap();
    let kept = moved.toml().replace("rule = { shift_days = 30 }, ", "");
    let kept = kept.replace("id = \"jisedai\"", "id = \"kept\"\nid_space = \"jisedai\"");
    let again = moved.toml().replace("id = \"jisedai\"", "id = \"again\"\nid_space = \"jisedai\"");
    let versions = [moved.toml(), &again, &kept]
        .map(|toml| sealed(dir.path(), &Profile::parse(toml).unwrap()));
    assert!(common_buckets(&versions[..2]).is_ok());
    let refused = common_buckets(&versions).unwrap_err();
    assert_eq!(refused.code(), "dataset.unjoinable");
}
