//! Tables that researchers bring in (持込み, AG-5): checked by a machine for what could tell
//! who somebody is (RI-1), then decided by a steward who has no part in the project.

use sekisho_access::{
    Caller, Visible,
    action::{
        DecideBringIn, ListBringInQueue, ListBringIns, ReadBringIn, ReadBringInTable,
        SubmitBringIn, WithdrawBringIn,
    },
    resource::{BringInResource, Site},
};
use sekisho_audit::EventKind;
use sekisho_bring_in::Refused;
use sekisho_domain::{
    BringIn, BringInId, BringInState, Page, PageRequest, ProjectId,
    bring_in::{BringInDecision, BringInEvent},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{App, AppError, session_of, step_up::StepUpAnswer};

/// Findings that a refusal spells out; a client that checks first sees all of them.
const MOST_FINDINGS: usize = 20;

/// What comes with a table's CSV.
#[derive(Debug)]
pub struct NewBringIn {
    /// Into which project.
    pub project_id: ProjectId,
    /// The description, TOML.
    pub description: String,
    /// SHA-256 of the CSV that the client computed.
    pub sha256: [u8; 32],
}

/// A table with its description.
#[derive(Debug)]
pub struct BringInWithDescription {
    /// The table.
    pub bring_in: BringIn,
    /// The description, TOML; empty once the content is erased.
    pub description: String,
}

/// What a steward decided on which content.
#[derive(Debug)]
pub struct Reviewed {
    /// Which table.
    pub bring_in_id: BringInId,
    /// SHA-256 of the description that was reviewed.
    pub description_sha256: [u8; 32],
    /// SHA-256 of the CSV that was reviewed.
    pub table_sha256: [u8; 32],
    /// Whether runs may look it up.
    pub approve: bool,
    /// Why.
    pub comment: String,
}

impl App {
    /// Brings a table in; it waits for a steward.
    ///
    /// # Errors
    /// [`AppError::Invalid`] when hash, description or content are refused, with the findings;
    /// that refusal is in the log. [`AppError::Conflict`] `TABLE_TAKEN` while another one
    /// stands under its name.
    pub async fn submit_bring_in(
        &self,
        caller: &Caller,
        new: NewBringIn,
        csv: Vec<u8>,
    ) -> Result<Visible<BringIn>, AppError> {
        let submitted_by = session_of(caller)?.person().person_id;
        let csv = Zeroizing::new(csv);
        let resource = self.project_resource(caller, new.project_id).await?;
        let permit = self.authorizer.authorize::<SubmitBringIn>(caller, resource).await?;
        if <[u8; 32]>::from(Sha256::digest(&csv)) != new.sha256 {
            let why = "the bytes that arrived are not those that were hashed; send it again";
            return Err(AppError::invalid("HASH_MISMATCH", "sha256", why));
        }
        let description_sha256 = sha256(new.description.as_bytes());
        let table_sha256 = sha256(&csv);
        let table = match sekisho_bring_in::read(new.description.as_bytes(), &csv) {
            Ok(table) => table,
            Err(refused) => {
                let project_id = new.project_id;
                let codes = codes(&refused);
                let kind = EventKind::BringInRefusedStatically {
                    project_id,
                    description_sha256,
                    table_sha256,
                    codes,
                };
                self.record(kind, caller.actor(), Some(caller.request_id)).await?;
                return Err(explain(&refused));
            }
        };
        let bring_in = BringIn {
            bring_in_id: BringInId::new(caller.at),
            project_id: new.project_id,
            table: table.description().table.clone(),
            state: BringInState::Submitted,
            description_sha256,
            table_sha256,
            rows: table.rows() as u64,
            size_bytes: csv.len() as u64,
            submitted_by,
            submitted_at: caller.at,
            decision: None,
            withdrawal: None,
        };
        let description = new.description.as_bytes();
        Ok(self.store.submit_bring_in(permit, bring_in, description, &csv).await?)
    }

    /// One table with what it says of itself.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn bring_in(
        &self,
        caller: &Caller,
        id: BringInId,
    ) -> Result<Visible<BringInWithDescription>, AppError> {
        let found = self.store.bring_in(id).await?;
        let resource = self.bring_in_resource(caller, found.for_decision()).await?;
        let permit = self.authorizer.authorize::<ReadBringIn>(caller, resource).await?;
        let description = match found.for_decision() {
            kept if kept.state.stands() => self.store.bring_in_description(&permit, kept).await?,
            _ => Zeroizing::default(),
        };
        let description = String::from_utf8_lossy(&description).into_owned();
        Ok(permit.reveal(found.map(|bring_in| BringInWithDescription { bring_in, description })))
    }

    /// A project's tables; without a project those that wait for the caller's review.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_bring_ins(
        &self,
        caller: &Caller,
        project_id: Option<ProjectId>,
        page: PageRequest,
    ) -> Result<Visible<Page<BringIn>>, AppError> {
        if let Some(project_id) = project_id {
            let resource = self.project_resource(caller, project_id).await?;
            let permit = self.authorizer.authorize::<ListBringIns>(caller, resource).await?;
            return Ok(self.store.project_bring_ins(permit, &page).await?);
        }
        let permit = self.authorizer.authorize::<ListBringInQueue>(caller, Site).await?;
        let queue = self.store.bring_in_queue(&permit, &page).await?;
        let mut allowed = Vec::new();
        for found in &queue.for_decision().items {
            let resource = self.bring_in_resource(caller, found).await?;
            if self.authorizer.would_permit::<ReadBringInTable>(caller, &resource) {
                allowed.push(found.clone());
            }
        }
        Ok(permit.reveal(queue.map(|page| Page { items: allowed, next: page.next })))
    }

    /// A table's CSV, for the steward who reviews it.
    ///
    /// # Errors
    /// [`AppError::Conflict`] `TABLE_ERASED` once it does not stand any more.
    pub async fn read_bring_in(
        &self,
        caller: &Caller,
        id: BringInId,
    ) -> Result<Visible<Zeroizing<Vec<u8>>>, AppError> {
        let found = self.store.bring_in(id).await?;
        let resource = self.bring_in_resource(caller, found.for_decision()).await?;
        let permit = self.authorizer.authorize::<ReadBringInTable>(caller, resource).await?;
        Ok(self.store.read_bring_in(permit).await?)
    }

    /// A steward's decision on exactly this content, with a fresh assertion.
    ///
    /// # Errors
    /// [`AppError::Refused`] for whoever has a part in the project; [`AppError::Conflict`]
    /// `OTHER_CONTENT` when something else was reviewed, `WRONG_STATE` when it was decided.
    pub async fn decide_bring_in(
        &self,
        caller: &Caller,
        reviewed: Reviewed,
        answer: StepUpAnswer,
    ) -> Result<Visible<BringIn>, AppError> {
        let by = session_of(caller)?.person().person_id;
        if !reviewed.approve && reviewed.comment.trim().is_empty() {
            let why = "say why, so that the researcher can mend it";
            return Err(AppError::invalid("COMMENT_MISSING", "comment", why));
        }
        let found = self.store.bring_in(reviewed.bring_in_id).await?;
        let resource = self.bring_in_resource(caller, found.for_decision()).await?;
        // Before the assertion is looked at, or its fate would tell that the table exists.
        let _may_read = self.authorizer.authorize::<ReadBringIn>(caller, resource.clone()).await?;
        let fresh = self.redeem_step_up(caller, answer).await?;
        let decision = BringInDecision {
            by,
            at: caller.at,
            comment: reviewed.comment,
            decision_sha256: fresh.decision_sha256().to_owned(),
        };
        let permit =
            self.authorizer.authorize_fresh::<DecideBringIn>(caller, resource, fresh).await?;
        let kept = found.for_decision();
        let same = kept.description_sha256 == hex::encode(reviewed.description_sha256)
            && kept.table_sha256 == hex::encode(reviewed.table_sha256);
        if !same {
            let message = "it does not hold what was reviewed; read it again".to_owned();
            return Err(AppError::Conflict { code: "OTHER_CONTENT", message });
        }
        let event = if reviewed.approve { BringInEvent::Approve } else { BringInEvent::Refuse };
        Ok(self.store.decide_bring_in(permit, event, decision).await?)
    }

    /// Takes a table back: its content is erased, unfinished runs that look it up end.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when it does not stand any more.
    pub async fn withdraw_bring_in(
        &self,
        caller: &Caller,
        id: BringInId,
        reason: String,
    ) -> Result<Visible<BringIn>, AppError> {
        let found = self.store.bring_in(id).await?;
        let resource = self.bring_in_resource(caller, found.for_decision()).await?;
        let permit = self.authorizer.authorize::<WithdrawBringIn>(caller, resource).await?;
        Ok(self.store.withdraw_bring_in(permit, reason).await?)
    }

    async fn bring_in_resource(
        &self,
        caller: &Caller,
        found: &BringIn,
    ) -> Result<BringInResource, AppError> {
        let (_, terms) = self.project_terms(caller, found.project_id).await?;
        let BringIn { bring_in_id, submitted_by, .. } = *found;
        Ok(BringInResource { terms, bring_in_id, submitted_by })
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Codes of the findings, each once, in order of their first.
fn codes(refused: &Refused) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for finding in &refused.findings {
        if !codes.iter().any(|code| code == finding.code) {
            codes.push(finding.code.to_owned());
        }
    }
    codes
}

/// The refusal as its submitter sees it. Findings say where, never what stands there.
fn explain(refused: &Refused) -> AppError {
    let code = if refused.identifying { "TABLE_IDENTIFYING" } else { "TABLE_REFUSED" };
    let shown: Vec<_> =
        refused.findings.iter().take(MOST_FINDINGS).map(ToString::to_string).collect();
    let mut message = shown.join("; ");
    let more = refused.findings.len().saturating_sub(MOST_FINDINGS) as u64 + refused.more;
    if more > 0 {
        message.push_str(&format!("; and {more} more"));
    }
    AppError::invalid(code, "table", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = r#"
table = "drug_groups"
about = "Groups of drugs, from a published list"
key = "drug"
column = [
    { name = "drug", kind = "code", about = "code of a drug" },
    { name = "group", kind = "code", about = "group of drugs" },
]
"#;

    fn refused(description: &str, csv: &str) -> Refused {
        sekisho_bring_in::read(description.as_bytes(), csv.as_bytes()).unwrap_err()
    }

    #[test]
    fn ri_1_an_identifying_table_is_refused_under_its_requirement() {
        let named = DESCRIPTION.replace("\"group\"", "\"birth_date\"");
        let refused = refused(&named, "drug,birth_date\nA01,x\n");
        let error = explain(&refused);
        assert_eq!(error.code(), "TABLE_IDENTIFYING");
        assert_eq!(error.rules().first().map(|by| by.rule.as_str()), Some("RI-1"));
        assert_eq!(codes(&refused), ["identifying_column"]);
    }

    #[test]
    fn findings_are_spelled_out_up_to_a_number() {
        let rows: String = (0..60).map(|_| "A01,x\n").collect();
        let refused = refused(DESCRIPTION, &format!("drug,group\n{rows}"));
        assert_eq!(codes(&refused), ["key_duplicate"]);
        let error = explain(&refused);
        assert_eq!((error.code(), error.rules().len()), ("TABLE_REFUSED", 0));
        let message = error.to_string();
        assert!(message.ends_with("and 39 more"), "{message}");
        assert!(message.len() < 4000, "fits in an answer's header");
    }
}
