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
fn the_catalogue_says_which_columns_hold_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let profile = shipped().into_iter().find(|profile| profile.id == "kaigo").unwrap();
    let entry = sealed(dir.path(), &profile).catalogue_entry();
    let columns = entry.tables.iter().flat_map(|table| &table.columns);
    let tokens: Vec<_> = columns.filter(|column| column.token).map(|column| &column.name).collect();
    assert!(!tokens.is_empty());
    let specs = profile.tables.iter().flat_map(|table| &table.columns);
    let keyed = specs.filter(|spec| matches!(spec.rule, Rule::Token { .. })).map(|spec| &spec.name);
    assert_eq!(tokens, keyed.collect::<Vec<_>>());
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

/// Pairs of profiles that a rule for anonymised information lets meet, sooner or later; the
/// data sets of one database always may.
fn linkable() -> Vec<[Profile; 2]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/linkage.toml");
    let matrix: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let profiles = shipped();
    let profiles = profiles.iter().filter(|profile| profile.holds == Information::Anonymised);
    let profiles: Vec<_> = profiles.collect();
    let mut pairs = Vec::new();
    for rule in matrix["rule"].as_array().unwrap() {
        if rule["holds"].as_str() != Some("anonymised_info") {
            continue;
        }
        let side = |key: &str| {
            let names = rule.get(key).or_else(|| rule.get("between")).unwrap().as_array().unwrap();
            names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>()
        };
        for (one, other) in side("between").iter().flat_map(|one| {
            side("and")
                .into_iter()
                .filter(move |other| other != one)
                .map(move |other| (*one, other))
        }) {
            let of = |database: &str| {
                let found: Vec<_> = profiles.iter().filter(|p| p.database == database).collect();
                assert!(!found.is_empty(), "{database} is in the matrix and has no profile");
                found
            };
            let both = of(one).into_iter().flat_map(|a| of(other).into_iter().map(move |b| (a, b)));
            pairs.extend(both.map(|(a, b)| [(*a).clone(), (*b).clone()]));
        }
    }
    pairs
}

#[test]
fn lk_1_every_pair_that_the_matrix_opens_can_be_joined() {
    let pairs = linkable();
    assert!(pairs.len() > 20, "{}", pairs.len());
    for [one, other] in &pairs {
        let pair = format!("{} with {}", one.id, other.id);
        assert_eq!(one.id_space, other.id_space, "{pair}");
        assert!(!one.undoes_shift_of(other), "{pair}");
        let names = |profile: &Profile| -> Vec<String> {
            profile.tables.iter().map(|table| table.name.clone()).collect()
        };
        assert!(names(one).iter().all(|name| !names(other).contains(name)), "{pair}: tables");
    }
}

#[test]
fn lk_2_profiles_of_one_id_space_know_a_person_by_the_same_things() {
    let mut spaces: std::collections::BTreeMap<String, Vec<[String; 3]>> = Default::default();
    for profile in shipped().into_iter().filter(|profile| profile.id_space != profile.id) {
        for table in &profile.tables {
            let sources = table.columns[0].sources.clone();
            let sources = <[String; 3]>::try_from(sources).unwrap();
            spaces.entry(profile.id_space.clone()).or_default().push(sources);
        }
    }
    assert_eq!(spaces.keys().collect::<Vec<_>>(), ["linkable_anonymised"]);
    for [name, born, sex] in spaces.values().flatten() {
        assert_eq!((name.as_str(), born.as_str()), ("カナ氏名", "生年月日"));
        // Receipts have another word for it, with the same codes.
        assert!(["性別", "男女区分"].contains(&sex.as_str()), "{sex}");
    }
}

/// All that a profile says in Japanese of what it reads: headers of the source, kept and
/// removed, and descriptions.
fn words(profile: &Profile) -> String {
    let mut words = vec![profile.title.ja.as_str(), &profile.description.ja];
    for table in &profile.tables {
        words.push(&table.description.ja);
        words.extend(table.removed.iter().map(|gone| gone.source.as_str()));
        for column in &table.columns {
            words.push(&column.description.ja);
            words.extend(column.sources.iter().map(String::as_str));
            words.extend(column.codes.values().map(|meaning| meaning.ja.as_str()));
        }
    }
    words.join("\n")
}

#[test]
fn every_database_of_the_sources_has_its_profile_with_the_items_they_name() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/databases.tsv");
    let table = std::fs::read_to_string(table).unwrap();
    let profiles = shipped();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().ends_with("\titems"));
    for line in lines {
        let cells: Vec<_> = line.split('\t').collect();
        let (database, supplied) = (cells[0], cells[2]);
        let ours: Vec<_> = profiles.iter().filter(|p| p.database == database).collect();
        assert!(!ours.is_empty(), "{database} has no profile");
        for kind in supplied.split(',').filter(|kind| *kind != "proposed") {
            let held = ours.iter().any(|profile| profile.holds.name() == format!("{kind}_info"));
            assert!(held, "{database} has no profile of {kind} information");
        }
        let words: String = ours.iter().map(|profile| words(profile)).collect();
        for item in cells.last().unwrap().split(',') {
            assert!(words.contains(item), "no profile of {database} names {item}");
        }
    }
}
