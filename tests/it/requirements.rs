//! `docs/requirements.md`: each requirement of the law with the tests that show it.
//! A test shows a requirement by carrying its id at the front of its name.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::generated_docs::check;

struct Requirement {
    id: String,
    phrase: String,
    behaviour: String,
}

#[test]
fn the_requirement_matrix_is_that_of_the_tests() {
    let requirements = requirements();
    let shown = shown(&requirements);
    let covered = requirements.iter().filter(|r| shown.contains_key(&r.id)).count();
    let mut text = format!(
        "# Requirements\n\nMade from the names of the tests; do not edit. A test that shows a \
         requirement carries its id at the front of its name. Of {} requirements, {covered} have \
         tests. \"Shown in part\" means that the tests named hold; whether they are all of it is \
         for a reader to judge.\n\n| id | phrase | behaviour | shown by | state |\n|---|---|---|---|---|\n",
        requirements.len(),
    );
    for Requirement { id, phrase, behaviour } in &requirements {
        let tests = shown.get(id).map(|tests| tests.join("<br>")).unwrap_or_default();
        let state = if tests.is_empty() { "open" } else { "shown in part" };
        writeln!(text, "| {id} | {phrase} | {behaviour} | {tests} | {state} |").unwrap();
    }
    check("requirements.md", &text);
}

/// `docs/requirements.tsv`: id, phrase in Japanese, source, behaviour, acceptance.
fn requirements() -> Vec<Requirement> {
    let path = sekisho_tests::root().join("docs/requirements.tsv");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields.len(), 5, "{line}");
        Requirement {
            id: fields[0].to_owned(),
            phrase: fields[1].to_owned(),
            behaviour: fields[3].to_owned(),
        }
    });
    rows.collect()
}

/// Names of tests by the requirement they show.
fn shown(requirements: &[Requirement]) -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in test_names(&sekisho_tests::root()) {
        for requirement in requirements {
            let prefix = requirement.id.to_lowercase().replace('-', "_") + "_";
            if name.starts_with(&prefix) {
                shown.entry(requirement.id.clone()).or_default().push(format!("`{name}`"));
            }
        }
    }
    shown
}

/// Every function that follows a `#[test]` attribute, sorted.
fn test_names(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let skipped = |name: &str| name == "target" || name == "build" || name.starts_with('.');
    let entries = walkdir::WalkDir::new(root)
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !skipped(&entry.file_name().to_string_lossy()));
    for entry in entries.filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            collect(&fs::read_to_string(entry.path()).unwrap(), &mut names);
        }
    }
    names.sort();
    names.dedup();
    names
}

fn collect(source: &str, names: &mut Vec<String>) {
    let mut lines = source.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
            continue;
        }
        let function = lines.by_ref().find(|line| line.contains("fn "));
        let name = function.and_then(|line| line.split("fn ").nth(1));
        names.extend(name.and_then(|rest| rest.split('(').next()).map(str::to_owned));
    }
}
