//! Several folders of data sets filled from one zone.

use serde_json::Value;

use crate::clinic::{Clinic, refusal};
use crate::site::json;

/// The journal and the reject file lie in the zone, not in the folder.
#[test]
fn one_ingest_of_a_data_set_at_a_time_whatever_folder_it_fills() {
    let clinic = Clinic::new();
    let (child, pipe) = clinic.waiting_in(2, &[]);
    for folder in ["datasets", "others"] {
        for extra in [&["--resume"][..], &[]] {
            let (code, message) = refusal(&clinic.command_into(folder, extra).output().unwrap());
            assert_eq!(code, "ingest.busy", "{folder}");
            assert!(message.contains("clinic"), "{message}");
        }
    }
    drop(pipe);
    let ended = refusal(&child.wait_with_output().unwrap());
    assert_eq!(ended.0, "source.empty_file", "undisturbed");
    clinic.whole(2);
    json(&clinic.command_into("others", &[]).output().unwrap());
}

#[test]
fn a_version_of_the_same_name_elsewhere_keeps_its_reject_file() {
    let clinic = Clinic::new();
    let [first, second] =
        ["datasets", "others"].map(|to| json(&clinic.command_into(to, &[]).output().unwrap()));
    assert_eq!((&first["version"], &second["version"]), (&"v1".into(), &"v1".into()));
    assert_ne!(first["rejects"], second["rejects"]);
    for summary in [&first, &second] {
        let rejects = summary["rejects"].as_str().unwrap();
        let rejects: Value = json(&clinic.site.run(&["rejects", rejects], &["--zone"]));
        assert_eq!(rejects.as_array().unwrap().len(), 4);
    }
    clinic.nothing_is_left();
}
