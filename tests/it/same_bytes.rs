//! The same module over the same rows gives the same bytes: twice on the server, and in
//! `sekisho try` on the researcher's own machine.

use std::{collections::BTreeSet, path::PathBuf};

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use sekisho_demo::site::{AgreementFile, Site, Staff};
use serde_json::Value;

use crate::support::{
    desk::{self, Analysis, RESEARCHER, example, list},
    dummy, log,
};

const SEED: u64 = 20_261_120;

#[test]
fn ou_3_what_was_tried_on_dummy_data_is_what_runs() {
    let (site, staff) = Site::staffed().unwrap();
    let lung = Case {
        analysis: example("km-by-sex"),
        profile: "lung",
        patients: 500,
        version: "v2",
        parameters: &[],
        agreement: AgreementFile::for_lung,
    };
    let ehr = Case {
        analysis: example("crosstab"),
        profile: "ehr",
        patients: 800,
        version: "v1",
        parameters: &["suppress_below=5"],
        agreement: AgreementFile::for_ehr,
    };
    let rounds = Case {
        analysis: example("cox-mortality"),
        profile: "lung",
        patients: 400,
        version: "v3",
        parameters: &[],
        agreement: AgreementFile::for_mortality,
    };
    for case in [lung, ehr, rounds] {
        case.holds(&site, &staff);
    }
    log::verified(&site);
}

struct Case {
    analysis: Analysis,
    profile: &'static str,
    patients: u32,
    version: &'static str,
    parameters: &'static [&'static str],
    agreement: fn(&Staff) -> AgreementFile,
}

impl Case {
    fn holds(&self, site: &Site, staff: &Staff) {
        dummy::seal(site, &self.profile_file(), self.patients, SEED, self.version);
        let agreement =
            AgreementFile { dataset_version: self.version.to_owned(), ..(self.agreement)(staff) };
        let project = desk::open_project(site, &agreement);
        let module = desk::bring_in(site, &self.analysis, &project);
        let [first, second] = [(), ()].map(|()| {
            let run = desk::succeeded(site, &project, &module, self.parameters);
            desk::ask_release(site, &run);
            encoded(&desk::checked_outputs(site, &run))
        });
        assert!(first.iter().map(Vec::len).sum::<usize>() > 100, "{} has no output", self.profile);
        assert!(first == second, "two runs of {} on the server differ", self.profile);
        let tried = encoded(&self.tried(site, SEED));
        assert!(first == tried, "{} gave other bytes here than on the server", self.profile);
        // Control: other rows are told apart.
        assert!(first != encoded(&self.tried(site, SEED + 1)), "{} ignores its rows", self.profile);
    }

    fn tried(&self, site: &Site, seed: u64) -> Vec<Value> {
        let tool = site
            .person(RESEARCHER)
            .arg("try")
            .arg(&self.analysis.manifest)
            .arg("--component")
            .arg(&self.analysis.component)
            .arg("--profile")
            .arg(self.profile_file())
            .args(["--patients", &self.patients.to_string(), "--seed", &seed.to_string()]);
        let tool = self.parameters.iter().fold(tool, |tool, word| tool.args(["--param", word]));
        let mut outputs = list(&tool.json().unwrap()["outputs"]).to_vec();
        desk::sort_by_name(&mut outputs);
        outputs
    }

    fn profile_file(&self) -> PathBuf {
        sekisho_tests::root().join(format!("policies/profiles/{}.toml", self.profile))
    }
}

/// The outputs' bytes, evidence and findings included.
fn encoded(outputs: &[Value]) -> Vec<Vec<u8>> {
    let pool = DescriptorPool::decode(sekisho_proto::FILE_DESCRIPTOR_SET).unwrap();
    let kind = pool.get_message_by_name("sekisho.v1.CheckedOutput").unwrap();
    let encode = |output: &Value| {
        DynamicMessage::deserialize(kind.clone(), output.clone()).unwrap().encode_to_vec()
    };
    let encoded: Vec<Vec<u8>> = outputs.iter().map(encode).collect();
    assert_eq!(encoded.iter().collect::<BTreeSet<_>>().len(), encoded.len());
    encoded
}
