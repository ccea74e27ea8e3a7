//! The gateway's root keys.

use sekisho_access::{
    action::{ListVaultKeys, RotateVaultKey},
    resource::Site as TheSite,
};
use sekisho_audit::EventKind;
use sekisho_store::keys::RootKey;

use super::{
    closing::{busy, keys},
    site::Site,
    study::{PARAMETERS, Study},
};

/// The generations that projects' keys are wrapped under, as the steward sees them.
async fn wraps(site: &Site, study: &Study) -> Vec<(u32, u64, bool)> {
    let permit = site.permit::<ListVaultKeys>(&study.steward, TheSite).await;
    let keys = site.store().vault_keys(permit).await.unwrap().into_inner();
    let line = |key: &RootKey| (key.status.generation.number(), key.wraps, key.status.current);
    keys.iter().map(line).collect()
}

pub(crate) async fn cr_1_a_rotation_wraps_every_projects_key_anew(site: &mut Site) {
    let study = busy(site).await;
    assert_eq!(wraps(site, &study).await, [(1, 1, true)]);
    let before = keys(site).await;
    let permit = site.permit::<RotateVaultKey>(&study.steward, TheSite).await;
    site.store().rotate_vault_key(permit).await.unwrap();
    assert_eq!(wraps(site, &study).await, [(1, 0, false), (2, 1, true)]);
    let changed = keys(site).await.into_iter().zip(before).filter(|(now, then)| now != then);
    assert_eq!(changed.count(), 1, "the project's key alone; what it wraps stays as it was");
    let rotated = site.events().await.into_iter().filter_map(|event| match event.kind {
        EventKind::VaultKeyRotated { generation, rewrapped } => Some((generation, rewrapped)),
        _ => None,
    });
    assert_eq!(rotated.collect::<Vec<_>>(), [(2, 1)]);
    // The old root key is needed for nothing any more, now and after a restart.
    std::fs::remove_file(site.folder.path().join("vault/root-1.key")).unwrap();
    site.close();
    site.open().await.unwrap();
    let leased = study.lease(site).await.unwrap();
    assert_eq!(leased.parameters, PARAMETERS);
}
