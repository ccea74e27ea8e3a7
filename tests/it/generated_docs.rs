//! Documents that are made from the code, so that they cannot drift from it.

use std::{fmt::Write as _, fs};

use sekisho_domain::{
    BringInState, ModuleState, ReidentificationState, ReviewState, RunState,
    lifecycle::{Lifecycle, mermaid},
};

/// Compares a document with what the code says, or writes it with `SEKISHO_UPDATE=1`.
pub(crate) fn check(name: &str, expected: &str) {
    let path = sekisho_tests::root().join("docs").join(name);
    if std::env::var_os("SEKISHO_UPDATE").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "docs/{name} is stale: run with SEKISHO_UPDATE=1");
}

#[test]
fn the_state_diagrams_are_those_of_the_tables() {
    let mut text = String::from(
        "# States\n\nMade from the transition tables in `gateway/domain`; do not edit.\n",
    );
    section::<ModuleState>(&mut text, "Module");
    section::<BringInState>(&mut text, "Brought-in table");
    section::<RunState>(&mut text, "Run");
    section::<ReviewState>(&mut text, "Review request");
    section::<ReidentificationState>(&mut text, "Re-identification");
    check("states.md", &text);
}

fn section<S: Lifecycle>(text: &mut String, title: &str) {
    write!(text, "\n## {title}\n\n```mermaid\n{}```\n", mermaid::<S>()).unwrap();
}
