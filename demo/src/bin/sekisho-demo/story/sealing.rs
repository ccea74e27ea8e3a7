//! Step 1: data is sealed.

use sekisho_demo::site::{Ran, StageName, Tool, repository};

use super::Story;

impl Story<'_> {
    pub(crate) fn seal_data(&mut self, patients: u32) -> anyhow::Result<()> {
        self.stage.step(1, "A steward seals data");
        self.stage.say(
            "In the identified zone, records lose their ids and are encrypted column by column.\n\
             First a real table: NCCTG lung cancer, 228 patients (Loprinzi et al. 1994).",
        );
        let table = repository().join("tests/data/lung.csv");
        let lung = self
            .site
            .ingest_everybody("csv")
            .arg("--profile")
            .arg(repository().join("policies/profiles/lung.toml"))
            .arg("--table")
            .arg(format!("lung={}", table.display()));
        let lung = self.seals(lung)?;
        self.claim(lung.stdout.contains("228 patients"), "228 patients were sealed")?;
        self.stage.say(&format!(
            "\nThen a synthetic health record of {patients} patients: conditions, laboratory\n\
             results under the item names of the programme, prescriptions."
        ));
        let ehr = self.site.ingest("generate-ehr").args(["--patients", &patients.to_string()]);
        let ehr = self.seals(ehr)?;
        let sealed = ehr.stdout.contains(&format!("{patients} patients"));
        self.claim(sealed, &format!("{patients} patients were sealed"))?;
        for ran in [lung, ehr] {
            let entry = ran.stdout.lines().find_map(|line| line.strip_prefix("Catalogue entry: "));
            let entry = entry.unwrap_or_default().trim().to_owned();
            let words = ["steward", "dataset", "register", &entry, "--json"];
            self.site.person(StageName::Steward).args(words).succeed()?;
        }
        self.stage.say("\nThe catalogue, where sizes are rounded:");
        self.plays(StageName::Steward, &["catalog", "list"])?;
        Ok(())
    }

    fn seals(&self, tool: Tool) -> anyhow::Result<Ran> {
        self.shows(StageName::Steward, tool.show_progress())
    }
}
