//! The workers' side of the queue: leases out, sealed outputs in.

use std::time::Duration;

use prost::Message;
use sekisho_access::{
    Caller, Permit, Who,
    action::{HoldRun, LeaseRun, LeaseTrace},
    resource::{ReidentificationRegister, Site},
};
use sekisho_audit::RunUsage;
use sekisho_domain::{
    Agreement, FailureClass, GrantedTable, LeaseId, OutputId, PinnedBringIn, RunId, Timestamp,
    WorkerId,
};
use sekisho_module::Manifest;
use sekisho_proto::v1;
use sekisho_store::{StoreError, bring_ins::SealedBringIn, leases::Leased, outputs::OutputRecord};
use sha2::{Digest, Sha256};

use crate::{App, AppError, outputs::decode, quota::narrowed, reidentifications::trace_of};

/// Seconds a lease holds without a heartbeat.
pub const LEASE_SECONDS: i64 = 30;
/// Seconds a ticket is good for: the longest run, its start and its leases.
const TICKET_SECONDS: i64 = 3600;
/// Longest wait for work, in seconds.
const MAX_WAIT: u32 = 20;
/// Domain separation of ticket signatures; workers verify under the same.
pub const TICKET_LABEL: &str = "sekisho.v1.RunTicket";
/// Most outputs of one run.
const MAX_OUTPUTS: usize = 64;

impl App {
    /// Waits up to `wait_seconds` for a queued run and leases it.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn lease_run(
        &self,
        caller: &Caller,
        wait_seconds: u32,
    ) -> Result<Option<v1::Lease>, AppError> {
        let worker_id = worker_of(caller)?;
        let wait = Duration::from_secs(u64::from(wait_seconds.min(MAX_WAIT)));
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let queued = self.queued.notified();
            let now = self.clock.now();
            if let Some(lease) = self.lease_trace(caller, worker_id, now).await? {
                return Ok(Some(lease));
            }
            let permit = self.authorizer.authorize::<LeaseRun>(caller, Site).await?;
            let until = now.plus_seconds(LEASE_SECONDS);
            if let Some(leased) = self.store.lease_run(permit, worker_id, until).await? {
                return self.pack(leased, now, None).await.map(Some);
            }
            if tokio::time::timeout_at(deadline, queued).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// A confirmed order of re-identification, as a run done again; before any run, for there
    /// are few.
    async fn lease_trace(
        &self,
        caller: &Caller,
        worker_id: WorkerId,
        now: Timestamp,
    ) -> Result<Option<v1::Lease>, AppError> {
        if !self.store.trace_waits().await? {
            return Ok(None);
        }
        let register = ReidentificationRegister;
        let permit = self.authorizer.authorize::<LeaseTrace>(caller, register).await?;
        let until = now.plus_seconds(LEASE_SECONDS);
        match self.store.lease_trace(permit, worker_id, until).await? {
            Some((found, leased)) => self.pack(leased, now, Some(trace_of(&found))).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes a run's sealed outputs over, after opening each once: what does not open, or
    /// is not the output it says it is, ends the run as a broken contract.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when the lease is lost, another when the outputs could not be
    /// opened now; nothing was taken over.
    pub async fn complete_run(
        &self,
        caller: &Caller,
        run_id: RunId,
        lease_id: LeaseId,
        outputs: Vec<v1::SealedOutput>,
        usage: v1::RunUsage,
    ) -> Result<(), AppError> {
        let permit = self.hold(caller, run_id).await?;
        let usage = usage_of(usage);
        match self.check_outputs(&permit, outputs).await {
            Ok(checked) => {
                self.store.complete_run(permit, lease_id, checked, usage).await?;
            }
            Err(NotTaken::Now(error)) => return Err(error.into()),
            Err(NotTaken::Ever(reason)) => {
                tracing::warn!(%run_id, reason, "a worker's outputs were not taken over");
                let class = FailureClass::ContractViolation;
                self.store.fail_run(permit, lease_id, class, usage).await?;
            }
        }
        Ok(())
    }

    /// Ends a leased run that failed, or gives it back.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when the lease is lost.
    pub async fn fail_run(
        &self,
        caller: &Caller,
        run_id: RunId,
        lease_id: LeaseId,
        class: FailureClass,
        usage: v1::RunUsage,
    ) -> Result<(), AppError> {
        let permit = self.hold(caller, run_id).await?;
        self.store.fail_run(permit, lease_id, class, usage_of(usage)).await?;
        Ok(())
    }

    pub(crate) async fn hold(
        &self,
        caller: &Caller,
        run_id: RunId,
    ) -> Result<Permit<HoldRun>, AppError> {
        worker_of(caller)?;
        let run = self.store.run(run_id).await?;
        let resource = self.run_resource(caller, run.for_decision()).await?;
        Ok(self.authorizer.authorize::<HoldRun>(caller, resource).await?)
    }

    async fn check_outputs(
        &self,
        permit: &Permit<HoldRun>,
        outputs: Vec<v1::SealedOutput>,
    ) -> Result<Vec<(OutputRecord, Vec<u8>)>, NotTaken> {
        if outputs.len() > MAX_OUTPUTS {
            return Err(NotTaken::Ever(format!("{} outputs", outputs.len())));
        }
        let resource = permit.resource();
        let mut checked = Vec::with_capacity(outputs.len());
        for (ordinal, v1::SealedOutput { name, sealed }) in (0_u32..).zip(outputs) {
            let broken = |what: &str| NotTaken::Ever(format!("output {ordinal} {what}"));
            let content = self
                .store
                .open_sealed_output(permit, ordinal, &name, &sealed)
                .await
                .map_err(NotTaken::Now)?
                .ok_or_else(|| broken("does not open"))?;
            let opened = decode(&content).map_err(|_| broken("does not decode"))?;
            let output = opened.output.as_ref().filter(|output| output.name == name);
            let kind = output.and_then(kind_of).ok_or_else(|| broken("is another"))?;
            let record = OutputRecord {
                // Its id carries its time, and is told.
                output_id: OutputId::new(permit.at().to_the_minute()),
                run_id: resource.run_id,
                project_id: resource.terms.project_id,
                name,
                kind: kind.to_owned(),
                findings: u32::try_from(opened.findings.len()).unwrap_or(u32::MAX),
                ordinal,
                sha256: hex::encode(Sha256::digest(&sealed)),
            };
            checked.push((record, sealed));
        }
        Ok(checked)
    }

    /// The signed ticket and everything else a worker needs for one run.
    async fn pack(
        &self,
        leased: Leased,
        now: Timestamp,
        trace: Option<v1::Trace>,
    ) -> Result<v1::Lease, AppError> {
        let project = self.store.project(leased.run.project_id).await?;
        let module = self.store.module(leased.run.module_id).await?;
        let manifest = Manifest::parse(&leased.module.manifest)
            .map_err(|errors| AppError::Internal(format!("stored manifest: {errors}")))?;
        let bytes = |text: &str| hex::decode(text).unwrap_or_default();
        let parameters = v1::RunTicket::decode(leased.parameters.as_slice())
            .map_err(|error| AppError::Internal(format!("stored parameters: {error}")))?
            .parameters;
        let agreement = &project.for_decision().agreement;
        let ticket = v1::RunTicket {
            run_id: leased.run.run_id.to_string(),
            lease_id: leased.lease.lease_id.to_string(),
            project_id: leased.run.project_id.to_string(),
            module_id: leased.run.module_id.to_string(),
            module_sha256: bytes(&module.for_decision().sha256),
            manifest_sha256: bytes(&module.for_decision().manifest_sha256),
            datasets: self.granted_datasets(agreement, &manifest).await?,
            parameters,
            limits: Some(narrowed(self.limits, agreement)),
            issued_at: Some(timestamp(now)),
            expires_at: Some(timestamp(now.plus_seconds(TICKET_SECONDS))),
            decision_index: leased.run.decision_index,
            trace,
            bring_ins: leased.bring_ins.iter().map(|table| pinned(&table.pinned)).collect(),
        }
        .encode_to_vec();
        let signature = self.ticket_signer.sign(TICKET_LABEL, &ticket).to_vec();
        Ok(v1::Lease {
            signed_ticket: Some(v1::SignedTicket { ticket, signature }),
            sealed_module: leased.module.sealed,
            module_key: leased.module.key.danger_bytes().to_vec(),
            manifest: leased.module.manifest,
            output_key: leased.output_key.danger_bytes().to_vec(),
            lease_expires_at: Some(timestamp(leased.lease.expires_at)),
            bring_ins: leased.bring_ins.into_iter().map(sealed_bring_in).collect(),
            order_key: leased.order_key.danger_bytes().to_vec(),
        })
    }

    /// The datasets of the view that the module reads, each pinned to its signed manifest.
    async fn granted_datasets(
        &self,
        agreement: &Agreement,
        manifest: &Manifest,
    ) -> Result<Vec<v1::TicketDataset>, AppError> {
        let mut datasets = Vec::new();
        for (dataset_id, version, tables) in agreement.datasets() {
            let tables = granted(tables, manifest);
            if tables.is_empty() {
                continue;
            }
            let dataset = self.store.dataset(dataset_id, Some(version)).await?;
            let dataset = dataset.for_decision();
            datasets.push(v1::TicketDataset {
                dataset_id: dataset_id.to_owned(),
                dataset_version: version.to_owned(),
                manifest_sha256: hex::decode(&dataset.manifest_sha256).unwrap_or_default(),
                tables,
                holds: dataset.holds.name().to_owned(),
                database: dataset.database.clone(),
                id_space: dataset.id_space.clone(),
            });
        }
        Ok(datasets)
    }
}

/// The part of a dataset's view that the module reads: its own tables and columns, those by
/// which it looks something up, and, where rows are filtered, the granted columns that the
/// filter may name.
fn granted(tables: &[GrantedTable], manifest: &Manifest) -> Vec<v1::GrantedTable> {
    manifest
        .tables
        .iter()
        .filter_map(|input| {
            let table = tables.iter().find(|table| table.table == input.name)?;
            let read = input.read();
            let wanted = |name: &String| read.contains(&name.as_str());
            let columns = table
                .columns
                .iter()
                .filter(|column| !table.row_filter.is_empty() || wanted(column))
                .cloned()
                .collect();
            let (table, row_filter) = (table.table.clone(), table.row_filter.clone());
            Some(v1::GrantedTable { table, columns, row_filter })
        })
        .collect()
}

/// A brought-in table as the ticket names it.
fn pinned(table: &PinnedBringIn) -> v1::TicketBringIn {
    let bytes = |text: &str| hex::decode(text).unwrap_or_default();
    v1::TicketBringIn {
        bring_in_id: table.bring_in_id.to_string(),
        table: table.table.clone(),
        description_sha256: bytes(&table.description_sha256),
        table_sha256: bytes(&table.table_sha256),
    }
}

fn sealed_bring_in(table: SealedBringIn) -> v1::SealedBringIn {
    let key = table.key.danger_bytes().to_vec();
    v1::SealedBringIn { description: table.description, table: table.table, key }
}

/// Why a worker's outputs were not taken over.
enum NotTaken {
    /// They are not what the lease's key seals; another try gives no others.
    Ever(String),
    /// They could not be looked at; the worker may come again.
    Now(StoreError),
}

pub(crate) fn worker_of(caller: &Caller) -> Result<WorkerId, AppError> {
    match &caller.who {
        Who::Worker(worker_id) => Ok(*worker_id),
        Who::Person(_) | Who::Visitor => Err(AppError::Unauthenticated { code: "NOT_A_WORKER" }),
    }
}

fn kind_of(output: &v1::Output) -> Option<&'static str> {
    use v1::output::Body;
    output.body.as_ref().map(|body| match body {
        Body::Table(_) => "table",
        Body::Histogram(_) => "histogram",
        Body::Survival(_) => "survival",
        Body::Text(_) => "text",
        Body::Coefficients(_) => "coefficients",
        Body::Contingency(_) => "contingency",
        Body::Incidence(_) => "incidence",
    })
}

fn usage_of(usage: v1::RunUsage) -> RunUsage {
    RunUsage {
        rows_read: usage.rows_read,
        patients: usage.patients,
        fuel_used: usage.fuel_used,
        peak_memory_bytes: usage.peak_memory_bytes,
        wall_millis: usage.wall_millis,
        jail: usage.jail.chars().take(200).collect(),
    }
}

pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.millis().rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    prost_types::Timestamp { seconds: at.seconds(), nanos }
}
