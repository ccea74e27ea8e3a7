//! Steps 2 and 3: an agreement, a roster, two factors.

use sekisho_demo::site::{AgreementFile, StageName};

use super::{Story, text};

impl Story<'_> {
    pub(crate) fn agree(&mut self) -> anyhow::Result<()> {
        self.stage.step(2, "A steward records an agreement and the roster");
        self.stage.say("The researcher is put on the roster; the code is for their first login.");
        let steward = StageName::Steward;
        let me = self.reads(steward, &["whoami"])?;
        self.staff.producer = text(&me, "organisation_id")?;
        let words =
            ["steward", "organisation", "add", "--name", "University A", "--kind", "user-org"];
        self.staff.university = self.plays(steward, &words)?.field("organisation")?;
        let entry = self.site.roster_entry(StageName::Researcher, &self.staff);
        let added = self.shows(steward, entry)?;
        self.staff.people.insert(StageName::Researcher, added.field("person")?);
        self.invitation = added.field("invitation")?;
        self.stage.say(
            "\nThe agreement says who may do what, where, with which columns, until when. To\n\
             record it the steward signs its hash with a fresh assertion.",
        );
        let lung = AgreementFile::for_lung(&self.staff);
        let path = self.path("people/tanaka/lung.toml");
        std::fs::write(&path, lung.to_toml()?)?;
        let tool = self.site.person(steward).args(["steward", "agreement", "record"]).arg(path);
        let recorded = self.shows(steward, tool)?;
        self.survival.id = recorded.field("project")?;
        let signed = recorded.stderr.contains("signing decision");
        self.claim(signed, "recording an agreement needed an assertion bound to that decision")?;
        let ehr = self.site.record(&AgreementFile::for_ehr(&self.staff))?;
        self.crosstab.id = ehr.field("project")?;
        self.stage.say("A second agreement, for the health record, is recorded the same way.");
        Ok(())
    }

    pub(crate) fn enrol(&mut self) -> anyhow::Result<()> {
        self.stage.step(3, "The researcher enrols an authenticator and logs in");
        self.stage.say(
            "First factor: OpenID Connect in the browser. Second: an authenticator that verifies\n\
             its user, whose model's attestation is on the site's list. Out comes a client\n\
             certificate for at most eight hours.",
        );
        let researcher = StageName::Researcher;
        let invitation = self.invitation.clone();
        let login = self.site.login(researcher).args(["--invitation", &invitation]);
        self.shows(researcher, login)?;
        let me = self.reads(researcher, &["whoami"])?;
        let level = text(&me, "biometric_level")?;
        self.claim(level == "BIOMETRIC_LEVEL_B1", "the session records biometric level B1")?;
        self.stage.say("Reviewers and the security watch enrol the same way.");
        for name in StageName::ALL {
            if matches!(name, StageName::Steward | StageName::Researcher) {
                continue;
            }
            let added = self.site.roster_entry(name, &self.staff).succeed()?;
            self.staff.people.insert(name, added.field("person")?);
            self.site.enrol(name, &added.field("invitation")?)?;
        }
        self.plays(StageName::Steward, &["steward", "person", "list"])?;
        Ok(())
    }
}
