//! Made-up rows as a data set version of a site: those that `sekisho try` makes up from the
//! same profile, number and seed.

use std::{fs, path::Path};

use sekisho_dataset::{Profile, Provenance, SealOptions, SealedWriter, dummy};
use sekisho_demo::site::{Site, StageName};
use sekisho_ingest::{IdentifiedZone, day_in_japan, write_catalogue};
use sekisho_vault::ReceivingPublic;

/// Seals them with the site's keys and registers them.
pub(crate) fn seal(site: &Site, profile: &Path, patients: u32, seed: u64, version: &str) {
    let today = day_in_japan(jiff::Timestamp::now());
    let zone = IdentifiedZone::open(&site.root().join("identified"), today).unwrap();
    let receiver = ReceivingPublic::load(&site.root().join("worker/receiving.pub")).unwrap();
    let profile = Profile::parse(&fs::read_to_string(profile).unwrap()).unwrap();
    let options = SealOptions { version: Some(version.to_owned()), ..SealOptions::default() };
    let datasets = site.root().join("datasets");
    let mut writer = SealedWriter::create(&datasets, &profile, &options).unwrap();
    for table in dummy::generate(&profile, patients, seed).unwrap() {
        writer.push(&table.name, &table.rows).unwrap();
    }
    let provenance = Provenance { method: "dummy".to_owned(), ..Provenance::default() };
    let sealed = writer.finish(provenance, &receiver, zone.identity(), &mut |_, _| {}).unwrap();
    let entry = write_catalogue(&sealed.folder, &sealed.catalogue).unwrap();
    let steward = site.person(StageName::Steward).args(["steward", "dataset", "register"]);
    steward.arg(entry).succeed().unwrap();
}
