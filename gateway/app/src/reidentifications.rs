//! Re-identification (再識別) for a regulator's inquiry: one steward orders the patients of
//! one released cell, another confirms, a worker traces them for the identified zone
//! (RI-2, RI-3). The gateway learns no token.

use prost::Message as _;
use sekisho_access::{
    Caller, Permit, Visible,
    action::{
        ConfirmReidentification, FetchReidentification, HoldTrace, ListReidentifications,
        OrderReidentification,
    },
    resource::{ReidentificationRegister, ReidentificationResource},
};
use sekisho_domain::{
    FailureClass, LeaseId, OrganisationKind, Page, PageRequest, Reidentification,
    ReidentificationId, ReidentificationState, ReleaseId, Run, Timestamp,
    dataset::DatasetVersion,
    reidentification::{
        CONFIRM_WITHIN, CaseNumber, ConfirmedOrder, InquiryPurpose, InquiryRecipient,
        ReidentificationOrder, SignedOrder,
    },
};
use sekisho_proto::v1;
use sekisho_store::StoreError;
use sha2::{Digest, Sha256};

use crate::{App, AppError, outputs::decode, session_of, step_up::StepUpAnswer};

/// Domain separation of signed orders; the identified zone verifies under the same.
const ORDER_LABEL: &str = "sekisho.v1.Reidentification";

/// What a steward asks for.
#[derive(Debug, Clone)]
pub struct NewReidentification {
    /// The regulator's case.
    pub case_number: CaseNumber,
    /// Whom the answer may go to.
    pub recipient: InquiryRecipient,
    /// What for.
    pub purpose: InquiryPurpose,
    /// Release the cell was printed in.
    pub release_id: ReleaseId,
    /// Name of the output.
    pub output: String,
    /// Labels of the cell.
    pub key: Vec<String>,
}

impl App {
    /// Whether the caller may not even know that there is such a method: to whoever may not
    /// list orders, re-identification does not exist (RI-2).
    #[must_use]
    pub fn hides_reidentification(&self, caller: &Caller) -> bool {
        !self.authorizer.would_permit::<ListReidentifications>(caller, &ReidentificationRegister)
    }

    /// Orders the patients of one cell of a released output, with a fresh assertion.
    ///
    /// # Errors
    /// [`AppError::Conflict`] `COHORT_OUTPUT` when the host does not know who stands behind
    /// the output, `CELL_WITHHELD` when the cell was not printed.
    pub async fn order_reidentification(
        &self,
        caller: &Caller,
        new: NewReidentification,
        answer: StepUpAnswer,
    ) -> Result<Visible<Reidentification>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let permit = self
            .authorizer
            .authorize_fresh::<OrderReidentification>(caller, ReidentificationRegister, fresh)
            .await?;
        self.check_producer(caller).await?;
        let release = self.store.release(new.release_id).await?;
        let release = release.for_decision();
        let run = self.store.run(release.run_id).await?;
        let (_, content) = self.store.released_output(&permit, release, &new.output).await?;
        let checked = decode(&content)?;
        let patients = patients_of(&checked, &new.key)?;
        let made = checked.output.unwrap_or_default().encode_to_vec();
        let order = ReidentificationOrder {
            reidentification_id: ReidentificationId::new(caller.at),
            case_number: new.case_number,
            recipient: new.recipient,
            purpose: new.purpose,
            project_id: release.project_id,
            release_id: release.release_id,
            run_id: release.run_id,
            datasets: datasets(run.for_decision()),
            output: new.output,
            key: new.key,
            output_sha256: hex::encode(Sha256::digest(made)),
            patients,
            ordered_by: session_of(caller)?.person().person_id,
            ordered_at: caller.at,
        };
        let ordered = Reidentification {
            order_sha256: hex::encode(Sha256::digest(
                serde_json::to_string(&order).map_err(unwritable)?,
            )),
            order,
            state: ReidentificationState::Ordered,
            expires_at: caller.at.plus_seconds(CONFIRM_WITHIN),
            signed: None,
            lease: None,
            attempts: 0,
            tokens_sha256: None,
        };
        Ok(self.store.order_reidentification(permit, ordered).await?)
    }

    /// Confirms exactly that order as a second steward, with a fresh assertion.
    ///
    /// # Errors
    /// [`AppError::Refused`] for whoever ordered it; [`AppError::Conflict`] when it is
    /// another order or too late.
    pub async fn confirm_reidentification(
        &self,
        caller: &Caller,
        id: ReidentificationId,
        order_sha256: [u8; 32],
        answer: StepUpAnswer,
    ) -> Result<Visible<Reidentification>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let found = self.store.reidentification(id).await?;
        let resource = resource(found.for_decision());
        let permit = self
            .authorizer
            .authorize_fresh::<ConfirmReidentification>(caller, resource, fresh)
            .await?;
        self.check_producer(caller).await?;
        let confirmed = ConfirmedOrder {
            order: found.for_decision().order.clone(),
            confirmed_by: session_of(caller)?.person().person_id,
            confirmed_at: caller.at,
        };
        let json = serde_json::to_string(&confirmed).map_err(unwritable)?;
        let signed = SignedOrder {
            sha256: hex::encode(Sha256::digest(&json)),
            signature: hex::encode(self.ticket_signer.sign(ORDER_LABEL, json.as_bytes())),
            json,
            confirmed_by: confirmed.confirmed_by,
        };
        let digest = hex::encode(order_sha256);
        let confirmed = self.store.confirm_reidentification(permit, digest, signed).await?;
        self.queued.notify_waiters();
        Ok(confirmed)
    }

    /// The orders, newest first.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_reidentifications(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Visible<Page<Reidentification>>, AppError> {
        let register = ReidentificationRegister;
        let permit = self.authorizer.authorize::<ListReidentifications>(caller, register).await?;
        Ok(self.store.reidentifications(permit, &page).await?)
    }

    /// The signed order and the sealed tokens, to be taken to the identified zone.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while there are none.
    pub async fn fetch_reidentification(
        &self,
        caller: &Caller,
        id: ReidentificationId,
    ) -> Result<Visible<(SignedOrder, Vec<u8>)>, AppError> {
        let found = self.store.reidentification(id).await?;
        let resource = resource(found.for_decision());
        let permit = self.authorizer.authorize::<FetchReidentification>(caller, resource).await?;
        Ok(self.store.fetch_reidentification(permit).await?)
    }

    /// Extends the lease of a trace; false when it is no longer this worker's.
    pub(crate) async fn keep_trace(
        &self,
        caller: &Caller,
        lease_id: LeaseId,
        until: Timestamp,
    ) -> Result<bool, AppError> {
        let Some(found) = self.store.trace_under(lease_id).await? else { return Ok(false) };
        let resource = resource(found.for_decision());
        let permit = self.authorizer.authorize::<HoldTrace>(caller, resource).await?;
        match self.store.hold_trace(permit, lease_id, until).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes over what a worker sealed for the identified zone.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when the lease is lost.
    pub async fn complete_trace(
        &self,
        caller: &Caller,
        id: ReidentificationId,
        lease_id: LeaseId,
        sealed_tokens: Vec<u8>,
    ) -> Result<(), AppError> {
        let permit = self.hold_trace(caller, id).await?;
        Ok(self.store.complete_trace(permit, lease_id, sealed_tokens).await?)
    }

    /// Ends a trace that failed, or gives it back.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when the lease is lost.
    pub async fn fail_trace(
        &self,
        caller: &Caller,
        id: ReidentificationId,
        lease_id: LeaseId,
        class: FailureClass,
    ) -> Result<(), AppError> {
        let permit = self.hold_trace(caller, id).await?;
        self.store.fail_trace(permit, lease_id, class).await?;
        self.queued.notify_waiters();
        Ok(())
    }

    async fn hold_trace(
        &self,
        caller: &Caller,
        id: ReidentificationId,
    ) -> Result<Permit<HoldTrace>, AppError> {
        let found = self.store.reidentification(id).await?;
        let resource = resource(found.for_decision());
        Ok(self.authorizer.authorize::<HoldTrace>(caller, resource).await?)
    }

    /// Only the producer (作成事業者) may re-identify (RI-2), whatever roles others hold.
    async fn check_producer(&self, caller: &Caller) -> Result<(), AppError> {
        let person = session_of(caller)?.person();
        let organisation = self.known_organisation(person.organisation_id, "organisation").await?;
        match organisation.kind {
            OrganisationKind::Producer => Ok(()),
            OrganisationKind::UserOrg => Err(AppError::NotFound),
        }
    }
}

/// What the worker of a trace is told beside the run's ticket.
pub(crate) fn trace_of(found: &Reidentification) -> v1::Trace {
    let bytes = |text: &str| hex::decode(text).unwrap_or_default();
    v1::Trace {
        trace_id: found.order.reidentification_id.to_string(),
        output: found.order.output.clone(),
        key: found.order.key.clone(),
        output_sha256: bytes(&found.order.output_sha256),
        order_sha256: found.signed.as_ref().map(|it| bytes(&it.sha256)).unwrap_or_default(),
    }
}

fn resource(found: &Reidentification) -> ReidentificationResource {
    ReidentificationResource {
        reidentification_id: found.order.reidentification_id,
        ordered_by: found.order.ordered_by,
        held_by: found.lease.as_ref().map(|lease| lease.worker_id),
    }
}

fn unwritable(error: serde_json::Error) -> AppError {
    AppError::Internal(format!("order: {error}"))
}

fn datasets(run: &Run) -> Vec<DatasetVersion> {
    let first =
        DatasetVersion { dataset_id: run.dataset_id.clone(), version: run.dataset_version.clone() };
    std::iter::once(first).chain(run.joined.iter().cloned()).collect()
}

/// Patients of the cell with this key, which must have been printed and counted by the host.
fn patients_of(checked: &v1::CheckedOutput, key: &[String]) -> Result<u64, AppError> {
    use v1::{ColumnRole, cell::Value, output::Body};
    let conflict = |code, message: &str| AppError::Conflict { code, message: message.to_owned() };
    let evidence = checked.evidence.clone().unwrap_or_default();
    if !evidence.host_verified {
        let why = "a cohort module made it: the host does not know who stands behind its numbers";
        return Err(conflict("COHORT_OUTPUT", why));
    }
    let missing = || AppError::invalid("NO_SUCH_CELL", "key", "the output has no such cell");
    let body = checked.output.as_ref().and_then(|output| output.body.as_ref());
    let at = match body.ok_or_else(missing)? {
        Body::Table(table) => {
            let keys = table.columns.iter().filter(|one| one.role() == ColumnRole::Key).count();
            let labels = |row: &v1::TableRow| {
                let cells = row.cells.iter().take(keys);
                let label = |cell: &v1::Cell| match &cell.value {
                    Some(Value::Label(label)) => label.clone(),
                    _ => String::new(),
                };
                cells.map(label).collect::<Vec<_>>()
            };
            let at = table.rows.iter().position(|row| labels(row) == key).ok_or_else(missing)?;
            let withheld = |cell: &v1::Cell| matches!(cell.value, Some(Value::Suppressed(_)));
            if table.rows.get(at).is_some_and(|row| row.cells.iter().any(withheld)) {
                return Err(conflict("CELL_WITHHELD", "the cell was not printed"));
            }
            at
        }
        Body::Histogram(histogram) => {
            histogram.series.iter().position(|one| one.key == key).ok_or_else(missing)?
        }
        Body::Survival(curve) => {
            curve.groups.iter().position(|one| one.key == key).ok_or_else(missing)?
        }
        Body::Incidence(curves) => {
            curves.groups.iter().position(|one| one.key == key).ok_or_else(missing)?
        }
        Body::Contingency(tables) => {
            let (at, shown) = crossed(tables, key).ok_or_else(missing)?;
            if !shown {
                return Err(conflict("CELL_WITHHELD", "the cell was not printed"));
            }
            at
        }
        Body::Text(_) | Body::Coefficients(_) => return Err(missing()),
    };
    match evidence.cell_patients.get(at).copied() {
        Some(0) | None => Err(conflict("CELL_EMPTY", "nobody stands behind this cell")),
        Some(patients) => Ok(patients),
    }
}

/// Position of a cell by its row, column and stratum, in row-major order, and whether it was
/// printed.
fn crossed(tables: &v1::Contingency, key: &[String]) -> Option<(usize, bool)> {
    let (row, column, stratum) = match key {
        [row, column] if tables.stratum_name.is_empty() => (row, column, ""),
        [row, column, stratum] => (row, column, stratum.as_str()),
        _ => return None,
    };
    let row = tables.row_labels.iter().position(|label| label == row)?;
    let column = tables.column_labels.iter().position(|label| label == column)?;
    let at = tables.strata.iter().position(|one| one.label == stratum)?;
    let cell = tables.strata.get(at)?.rows.get(row)?.cells.get(column)?;
    let shown = matches!(cell.value, Some(v1::cell::Value::Count(_)));
    let position = (row * tables.column_labels.len() + column) * tables.strata.len() + at;
    Some((position, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ri_2_a_cell_of_two_keys_is_found_by_row_column_and_stratum() {
        use v1::cell::Value;
        let cell = |n: i64| v1::Cell {
            value: Some(match n {
                0 => Value::Suppressed(v1::Suppression::MinCell.into()),
                n => Value::Count(n),
            }),
        };
        let rows = |cells: [[i64; 3]; 2]| {
            let row = |row: [i64; 3]| v1::TableRow { cells: row.map(cell).to_vec() };
            cells.map(row).to_vec()
        };
        let labels = |labels: [&str; 2]| labels.map(str::to_owned).to_vec();
        let tables = v1::Contingency {
            row_labels: labels(["a", "b"]),
            column_labels: labels(["x", "y"]),
            stratum_name: "site".to_owned(),
            strata: vec![
                v1::ContingencyStratum {
                    label: "east".to_owned(),
                    rows: rows([[11, 12, 23], [13, 14, 27]]),
                    result: None,
                },
                v1::ContingencyStratum {
                    label: "west".to_owned(),
                    rows: rows([[15, 16, 31], [17, 0, 0]]),
                    result: None,
                },
            ],
            ..v1::Contingency::default()
        };
        let found = |key: &[&str]| {
            let key: Vec<String> = key.iter().map(|label| (*label).to_owned()).collect();
            crossed(&tables, &key)
        };
        assert_eq!(found(&["a", "x", "east"]), Some((0, true)));
        assert_eq!(found(&["a", "y", "west"]), Some((3, true)));
        assert_eq!(found(&["b", "y", "west"]), Some((7, false)));
        assert_eq!(found(&["a", "x"]), None);
        assert_eq!(found(&["a", "z", "west"]), None);
    }

    fn counted(patients: u64, host_verified: bool, shown: bool) -> v1::CheckedOutput {
        use v1::{ColumnRole, cell::Value, output::Body};
        let column = |role: ColumnRole| v1::TableColumn { role: role.into(), ..Default::default() };
        let cell = |value| v1::Cell { value: Some(value) };
        let count = match shown {
            true => Value::Count(12),
            false => Value::Suppressed(v1::Suppression::MinCell.into()),
        };
        let table = v1::Table {
            columns: vec![column(ColumnRole::Key), column(ColumnRole::PatientCount)],
            rows: vec![v1::TableRow {
                cells: vec![cell(Value::Label("female".to_owned())), cell(count)],
            }],
        };
        v1::CheckedOutput {
            output: Some(v1::Output { body: Some(Body::Table(table)), ..Default::default() }),
            evidence: Some(v1::Evidence {
                host_verified,
                cell_patients: vec![patients],
                ..Default::default()
            }),
            findings: vec![],
        }
    }

    #[test]
    fn ri_2_only_a_printed_cell_that_the_host_counted_can_be_asked_about() {
        let key = |label: &str| vec![label.to_owned()];
        let asked = |output, label| patients_of(&output, &key(label));
        assert_eq!(asked(counted(12, true, true), "female").unwrap(), 12);
        for (output, label, code) in [
            (counted(12, false, true), "female", "COHORT_OUTPUT"),
            (counted(12, true, false), "female", "CELL_WITHHELD"),
            (counted(0, true, true), "female", "CELL_EMPTY"),
            (counted(12, true, true), "male", "NO_SUCH_CELL"),
        ] {
            assert_eq!(asked(output, label).unwrap_err().code(), code);
        }
    }
}
