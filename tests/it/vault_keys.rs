//! The gateway's root key is changed by a steward, and nothing sealed under the old one is lost.

use prost::Message as _;
use sekisho_demo::site::{AgreementFile, Site, StageName};
use sekisho_proto::v1;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{
    desk::{self, REFUSED, RESEARCHER, example, list, refusal},
    log,
    wire::{self, call, channel},
};

#[test]
fn cr_1_a_steward_rotates_the_root_key_and_projects_go_on() {
    let (site, staff) = Site::staffed().unwrap();
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    let key = |who, verb| site.person(who).args(["steward", "key", verb]);
    assert_eq!(refusal(key(RESEARCHER, "rotate")).0, REFUSED);
    Runtime::new().unwrap().block_on(async {
        let steward = channel(&site, Some(wire::session(&site, StageName::Steward)));
        let bare = v1::RotateVaultKeyRequest { step_up: None }.encode_to_vec();
        let seen = call(&steward, "/sekisho.v1.StewardService/RotateVaultKey", &bare).await;
        assert_eq!(seen.reason, "REQUIRED", "not without a fresh assertion");
    });
    let listed = |verb| list(&key(StageName::Steward, verb).json().unwrap()).to_vec();
    assert_eq!(listed("list").len(), 1);
    let keys = listed("rotate");
    let wraps: Vec<u64> = keys.iter().map(|key| desk::number(&key["wraps"])).collect();
    let current: Vec<&Value> = keys.iter().map(|key| &key["current"]).collect();
    assert_eq!(current, [false, true]);
    assert_eq!(wraps[0], 0, "the old root key can be destroyed");
    assert_ne!(wraps[1], 0);

    desk::succeeded(&site, &project, &module, &[]);
    let release = desk::approved(&site, &desk::ask_release(&site, &run));
    desk::fetch(&site, &release, &site.root().join("fetched"));
    assert!(log::entries(&site).iter().any(|entry| entry.kind() == "vault_key_rotated"));
    log::verified(&site);
}
