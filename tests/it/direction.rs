//! Dependencies point one way (design section 8).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Our crates with the crates of ours that each may name, itself left out. Whatever is
/// not listed is refused, so a new crate or arrow is decided here first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("proto", &[]),
    // The gateway, inside out.
    ("domain", &[]),
    ("audit", &["domain"]),
    ("access", &["domain", "audit"]),
    ("identity", &[]),
    ("watch", &["domain", "audit"]),
    ("store", &["domain", "audit", "access", "vault"]),
    (
        "app",
        &[
            "domain",
            "audit",
            "access",
            "identity",
            "store",
            "watch",
            "vault",
            "module",
            "bring-in",
            "deployment",
            "proto",
        ],
    ),
    ("rpc", &["domain", "audit", "access", "identity", "app", "proto"]),
    (
        "server",
        &["domain", "audit", "identity", "watch", "app", "rpc", "proto", "vault", "deployment"],
    ),
    // The sandbox; nothing of the gateway.
    ("vault", &[]),
    ("identifying", &[]),
    ("bring-in", &["identifying"]),
    ("module", &[]),
    ("componentize", &[]),
    ("jail", &[]),
    ("deployment", &[]),
    ("profile", &[]),
    ("dataset", &["profile", "vault"]),
    ("ingest", &["vault", "dataset", "deployment", "identifying", "jail"]),
    ("disclosure", &["proto"]),
    ("engine", &["proto", "vault", "module", "dataset", "disclosure", "bring-in"]),
    ("runner", &["proto", "vault", "module", "dataset", "bring-in", "engine", "jail"]),
    (
        "worker",
        &["proto", "vault", "module", "dataset", "deployment", "bring-in", "runner", "jail"],
    ),
    // What researchers carry: the contract, the runner, the log's verifier.
    (
        "cli",
        &[
            "proto",
            "audit",
            "vault",
            "module",
            "dataset",
            "disclosure",
            "bring-in",
            "engine",
            "runner",
        ],
    ),
    ("demo", &["proto"]),
    ("tests", &[]),
    ("hostile", &[]),
    ("fuzz", &["proto", "vault", "module", "dataset", "disclosure", "hostile"]),
];

/// External crates that only one of ours may name.
const ONLY: &[(&str, &[&str])] = &[
    ("cedar-policy", &["access"]),
    ("sqlx", &["store"]),
    ("wasmtime", &["engine"]),
    ("datafusion", &["engine"]),
    ("sqlparser", &["app"]),
    ("webauthn-rs", &["identity"]),
    // The demo plays the provider.
    ("openidconnect", &["identity", "demo"]),
    ("seccompiler", &["jail"]),
    ("landlock", &["jail"]),
];

#[test]
fn dependencies_point_one_way() {
    let found = dependencies();
    let mut wrong = Vec::new();
    for (name, dependencies) in &found {
        let allowed = ALLOWED.iter().find(|(known, _)| known == name);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{name} is not on the map"));
            continue;
        };
        for dependency in dependencies {
            let ours = dependency.strip_prefix("sekisho-");
            if let Some(ours) = ours.filter(|ours| !allowed.contains(ours)) {
                wrong.push(format!("{name} must not depend on {ours}"));
            }
            let owners = ONLY.iter().find(|(known, _)| known == dependency);
            if owners.is_some_and(|(_, owners)| !owners.contains(&name.as_str())) {
                wrong.push(format!("{name} must not know {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The gateway process links no code that opens a dataset (design invariant 4).
#[test]
fn zn_2_the_gateway_links_nothing_that_opens_a_dataset() {
    let found = dependencies();
    let mut reached = BTreeSet::new();
    let mut open = vec!["server".to_owned()];
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            let dependencies = found.get(&name).into_iter().flatten();
            open.extend(dependencies.filter_map(|d| d.strip_prefix("sekisho-")).map(str::to_owned));
        }
    }
    assert!(reached.contains("store"), "{reached:?}");
    for opener in ["dataset", "ingest", "engine", "runner", "worker"] {
        assert!(!reached.contains(opener), "the gateway reaches {opener}");
    }
}

/// The generator of dummy data gets a profile and numbers, and has nothing to open a real
/// row with: no crate that knows files, keys or connections, and none of those of `std`.
#[test]
fn ct_1_the_dummy_generator_can_open_nothing() {
    let linked: Vec<_> = dependencies().remove("profile").into_iter().flatten().collect();
    assert_eq!(linked, ["arrow", "hex", "jiff", "serde", "sha2", "toml"]);
    let harmless = ["borrow", "cell", "collections", "error", "fmt", "iter", "ops", "sync"];
    let mut looked_at = 0;
    for file in sources(&sekisho_tests::root().join("sandbox/profile/src")) {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for named in source.split("std::").skip(1) {
            let name = named.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
            assert!(harmless.contains(&name), "{} names std::{name}", file.display());
            looked_at += 1;
        }
        for word in ["use std;", "extern ", "include_", "include!", "env!"] {
            assert!(!source.contains(word), "{} says {word}", file.display());
        }
    }
    assert!(looked_at > 10, "{looked_at}");
}

/// Every Rust file below a folder, files of tests left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let tests = |path: &PathBuf| path.file_stem().is_some_and(|name| name == "tests");
    let folders = folders.into_iter().filter(|path| !tests(path));
    let below = folders.flat_map(|folder| sources(&folder)).collect::<Vec<_>>();
    files.into_iter().filter(|path| !tests(path)).chain(below).collect()
}

/// Each of our crates with its direct dependencies, those of tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(sekisho_tests::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let name = package.name.strip_prefix("sekisho-").unwrap_or(&package.name).to_owned();
            let dependencies = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone())
                .collect();
            (name, dependencies)
        })
        .collect()
}
