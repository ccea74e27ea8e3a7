//! A data set whose every value is distinctive, for the tables of `sandbox/guests`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sekisho_demo::site::{AgreementFile, Site, Staff};

use super::canaries::Canaries;

const PATIENTS: u64 = 60;
const VISITS: u64 = 2;
const SITES: u64 = 6;

/// The values that were sealed.
pub(crate) struct Clinic {
    /// Everything but the codes of `site`, which some outputs show for good reason.
    pub(crate) values: Canaries,
    /// The codes of `site`.
    pub(crate) sites: Canaries,
    /// One of them.
    pub(crate) a_site: String,
    source: Vec<u8>,
}

impl Clinic {
    /// Makes the source file in `folder`, which is outside of the site, seals and registers
    /// it.
    pub(crate) fn seal(site: &Site, folder: &Path) -> Self {
        let (clinic, csv) = Self::invent();
        let file = folder.join("visits.csv");
        fs::write(&file, &csv).unwrap();
        let sealed = site
            .ingest_everybody("csv")
            .arg("--profile")
            .arg(profile())
            .arg("--table")
            .arg(format!("visits={}", file.display()))
            .arg("--json")
            .succeed()
            .unwrap();
        site.register(&sealed).unwrap();
        clinic
    }

    /// An agreement over the columns that the guests read.
    pub(crate) fn agreement(staff: &Staff) -> AgreementFile {
        let columns = ["patient", "site", "weight"];
        AgreementFile::new("Clinic", "clinic", staff, &[("visits", &columns)])
    }

    /// The file that was sealed, the one place where the values are.
    pub(crate) fn source(&self) -> &[u8] {
        &self.source
    }

    fn invent() -> (Self, String) {
        let (mut values, mut sites) = (Canaries::default(), Canaries::default());
        let site = |n: u64| format!("SITE-{:016x}", scattered(1_000 + n));
        (0..SITES).for_each(|n| sites.text(&site(n)));
        let mut csv = String::from("patient,site,weight,dose,note\n");
        for patient in 0..PATIENTS {
            let id = format!("KANJA-{:016x}", scattered(patient));
            values.text(&id);
            for visit in 0..VISITS {
                let number = patient * VISITS + visit;
                let weight = 40.0 + 50.0 * fraction(2_000 + number);
                let dose = i64::from_le_bytes(scattered(3_000 + number).to_le_bytes());
                let note = format!("NOTE-{:016x}", scattered(4_000 + number));
                values.float(weight);
                values.int(dose);
                values.text(&note);
                let site = site(patient % SITES);
                csv.push_str(&format!("{id},{site},{weight},{dose},{note}\n"));
            }
        }
        let source = csv.clone().into_bytes();
        (Self { values, sites, a_site: site(0), source }, csv)
    }
}

/// The profile it is sealed under.
pub(crate) fn profile() -> PathBuf {
    sekisho_tests::root().join("tests/data/clinic.toml")
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers in every run of the test.
pub(crate) fn scattered(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// From 0 to 1, with all 53 bits.
fn fraction(seed: u64) -> f64 {
    (scattered(seed) >> 11) as f64 / (1_u64 << 53) as f64
}
