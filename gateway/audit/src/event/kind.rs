//! Every kind of event, declared once.

use std::net::IpAddr;

use sekisho_domain::{
    AgreementId, AlertId, BiometricLevel, BringInId, FailureClass, GrantedTable, JoinedDataset,
    LeaseId, ModuleId, OrganisationId, OutputId, PersonId, PinnedBringIn, ProjectId,
    ReidentificationId, ReidentificationState, ReleaseId, ReviewRequestId, ReviewState, RunId,
    RunState, SessionId, Timestamp, Verdict, WorkerId, dataset::InformationKind,
};
use serde::{Deserialize, Serialize};

use super::{LogStream, RuleCited, RunUsage, SealedOutput, SessionEnd};

/// Declares every kind once: its stable name, its stream and its fields.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])* $kind:ident = $name:literal in $stream:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {
        /// What happened. Names and fields are stable: they are hashed. A field is only
        /// ever added as an optional one that is left out when unset, so that old entries
        /// keep their one byte form.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind", deny_unknown_fields)]
        #[allow(clippy::large_enum_variant, reason = "events are short-lived, never stored in bulk")]
        pub enum EventKind {$(
            $(#[$doc])*
            #[serde(rename = $name)]
            $kind { $($(#[$field_doc])* $field: $type,)* },
        )*}

        impl EventKind {
            /// Every kind's name and stream.
            pub const NAMES: &'static [(&'static str, LogStream)] =
                &[$(($name, LogStream::$stream),)*];

            /// Stable name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$kind { .. } => $name,)* }
            }

            /// The log of LG-1 it belongs to.
            #[must_use]
            pub const fn stream(&self) -> LogStream {
                match self { $(Self::$kind { .. } => LogStream::$stream,)* }
            }
        }
    };
}

kinds! {
    /// A TLS handshake that did not come about.
    HandshakeFailed = "handshake_failed" in Access {
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
        /// Stable reason.
        reason: String,
    }
    /// A call arrived.
    CallStarted = "call_started" in Access {
        /// Full method, such as `/sekisho.v1.RunService/StartRun`.
        method: String,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
    }
    /// A call ended, whatever way.
    CallEnded = "call_ended" in Access {
        /// Full method.
        method: String,
        /// gRPC code name, such as `PERMISSION_DENIED`; `CANCELLED` for aborted streams.
        code: String,
        /// Stable reason code given to the client.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Requirement of the law cited to the client, such as `AU-1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    }
    /// A policy decision; recorded before its permit exists.
    Decision = "decision" in Operation {
        /// Action name in the policies.
        action: String,
        /// The resource's id, whose prefix names its kind.
        resource: String,
        /// Whether it was allowed.
        allowed: bool,
        /// What decided.
        rules: Vec<RuleCited>,
        /// Level of the second factor in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<BiometricLevel>,
    }
    /// A login began.
    LoginStarted = "login_started" in Access {}
    /// The first factor was accepted.
    FirstFactor = "first_factor" in Access {
        /// OpenID Connect issuer.
        issuer: String,
    }
    /// Both factors were accepted and a session opened.
    LoginCompleted = "login_completed" in Access {
        /// Who.
        person_id: PersonId,
        /// The new session.
        session_id: SessionId,
        /// Level of the second factor.
        level: BiometricLevel,
        /// Credential id, base64url.
        credential: String,
        /// Authenticator model.
        model: String,
    }
    /// A login was refused.
    LoginRefused = "login_refused" in Access {
        /// Stable reason code.
        reason: String,
        /// Who it was, once the first factor has told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person_id: Option<PersonId>,
    }
    /// A person enrolled a credential.
    CredentialEnrolled = "credential_enrolled" in Access {
        /// Who.
        person_id: PersonId,
        /// Credential id, base64url.
        credential: String,
        /// Authenticator model id.
        aaguid: String,
        /// Authenticator model.
        model: String,
        /// Level it can give.
        level: BiometricLevel,
    }
    /// A session ended.
    SessionEnded = "session_ended" in Access {
        /// Which.
        session_id: SessionId,
        /// Why.
        cause: SessionEnd,
        /// In the words of whoever cut it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    }
    /// A fresh assertion was spent on one decision.
    StepUp = "step_up" in Access {
        /// What was decided, SHA-256, hexadecimal.
        decision_sha256: String,
        /// Full method it was spent on.
        method: String,
        /// The raw assertion, JSON text, kept as evidence.
        evidence: String,
    }
    /// An organisation takes part.
    OrganisationRegistered = "organisation_registered" in Operation {
        /// Which.
        organisation_id: OrganisationId,
    }
    /// A person is on the roster (名簿).
    PersonRegistered = "person_registered" in Operation {
        /// Who.
        person_id: PersonId,
        /// Where they belong.
        organisation_id: OrganisationId,
    }
    /// A person is off the roster.
    PersonRemoved = "person_removed" in Operation {
        /// Who.
        person_id: PersonId,
        /// In the steward's words.
        reason: String,
    }
    /// The catalogue learned of a dataset version.
    DatasetRegistered = "dataset_registered" in Operation {
        /// Dataset.
        dataset_id: String,
        /// Its version.
        version: String,
        /// SHA-256 of the signed manifest, hexadecimal.
        manifest_sha256: String,
        /// What it holds, as linkage is decided by (LK-1); older entries do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holds: Option<InformationKind>,
        /// Database it is of.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        database: String,
        /// Space of its persons' tokens (LK-2).
        #[serde(default, skip_serializing_if = "String::is_empty")]
        id_space: String,
    }
    /// The day for which a newer version was announced is over (CT-1).
    DatasetOverdue = "dataset_overdue" in Operation {
        /// Dataset.
        dataset_id: String,
        /// Its newest version.
        version: String,
        /// The day, `YYYY-MM-DD`.
        next_update: String,
    }
    /// The gateway's vault has a new root key, and the projects' keys are wrapped under it.
    VaultKeyRotated = "vault_key_rotated" in Operation {
        /// The new generation.
        generation: u32,
        /// Keys of projects wrapped under it.
        rewrapped: u64,
    }
    /// A steward set the date of a rule of the linkage matrix (LK-3).
    LinkageDateSet = "linkage_date_set" in Operation {
        /// Which rule.
        rule: String,
        /// From when it is open; absent when it is closed again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens_at: Option<Timestamp>,
    }
    /// An agreement (取決め) is in force.
    AgreementRecorded = "agreement_recorded" in Operation {
        /// Which.
        agreement_id: AgreementId,
        /// Project that stands on it.
        project_id: ProjectId,
        /// SHA-256 of the canonical agreement, hexadecimal.
        agreement_sha256: String,
    }
    /// A project was closed and its keys destroyed (SV-3).
    ProjectClosed = "project_closed" in Operation {
        /// Which.
        project_id: ProjectId,
        /// The agreement it stood on.
        agreement_id: AgreementId,
        /// In the words of whoever closed it.
        reason: String,
        /// SHA-256 of the erasure record (消去記録), hexadecimal.
        erasure_sha256: String,
    }
    /// Its sealed objects and the old pages of the database are gone too.
    ErasureFinished = "erasure_finished" in Operation {
        /// Of which project.
        project_id: ProjectId,
    }
    /// A worker got its certificate.
    WorkerEnrolled = "worker_enrolled" in Operation {
        /// Which.
        worker_id: WorkerId,
        /// Its name.
        name: String,
    }
    /// A module was brought in (持込み).
    ModuleSubmitted = "module_submitted" in Operation {
        /// Which.
        module_id: ModuleId,
        /// Into which project.
        project_id: ProjectId,
        /// SHA-256 of the component, hexadecimal.
        sha256: String,
        /// SHA-256 of the manifest, hexadecimal.
        manifest_sha256: String,
    }
    /// A module was refused by the static checks.
    ModuleRefusedStatically = "module_refused_statically" in Operation {
        /// Into which project it was to go.
        project_id: ProjectId,
        /// SHA-256 of the component, hexadecimal.
        sha256: String,
        /// Stable code of the check.
        code: String,
    }
    /// A reviewer decided on a module.
    ModuleDecided = "module_decided" in Operation {
        /// Which.
        module_id: ModuleId,
        /// Whether it may run.
        approved: bool,
        /// SHA-256 of the comment, hexadecimal: the log outlives what people write.
        comment_sha256: String,
    }
    /// A table was brought in (持込み).
    BringInSubmitted = "bring_in_submitted" in Operation {
        /// Which.
        bring_in_id: BringInId,
        /// Into which project.
        project_id: ProjectId,
        /// SHA-256 of its description, hexadecimal.
        description_sha256: String,
        /// SHA-256 of its CSV, hexadecimal.
        table_sha256: String,
    }
    /// A table was refused by the machine's checks.
    BringInRefusedStatically = "bring_in_refused_statically" in Operation {
        /// Into which project it was to go.
        project_id: ProjectId,
        /// SHA-256 of its description, hexadecimal.
        description_sha256: String,
        /// SHA-256 of its CSV, hexadecimal.
        table_sha256: String,
        /// Stable codes of the findings, each once.
        codes: Vec<String>,
    }
    /// A steward read a table to review it.
    BringInRead = "bring_in_read" in Operation {
        /// Which.
        bring_in_id: BringInId,
        /// SHA-256 of its CSV, hexadecimal.
        table_sha256: String,
    }
    /// A steward decided on a table.
    BringInDecided = "bring_in_decided" in Operation {
        /// Which.
        bring_in_id: BringInId,
        /// Whether runs may look it up.
        approved: bool,
        /// SHA-256 of its description, hexadecimal.
        description_sha256: String,
        /// SHA-256 of its CSV, hexadecimal.
        table_sha256: String,
        /// SHA-256 of the comment, hexadecimal: the log outlives what people write.
        comment_sha256: String,
        /// What the fresh assertion was bound to, SHA-256, hexadecimal.
        decision_sha256: String,
    }
    /// A table was taken back, or its project was closed.
    BringInWithdrawn = "bring_in_withdrawn" in Operation {
        /// Which.
        bring_in_id: BringInId,
        /// SHA-256 of its CSV, hexadecimal.
        table_sha256: String,
        /// SHA-256 of the reason, hexadecimal.
        reason_sha256: String,
    }
    /// A run was asked for and permitted.
    RunRequested = "run_requested" in Operation {
        /// Which.
        run_id: RunId,
        /// Project.
        project_id: ProjectId,
        /// Module.
        module_id: ModuleId,
        /// SHA-256 of the component, hexadecimal.
        module_sha256: String,
        /// Dataset.
        dataset_id: String,
        /// Its version.
        dataset_version: String,
        /// The view.
        tables: Vec<GrantedTable>,
        /// Further datasets of the view that it reads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        joined: Vec<JoinedDataset>,
        /// Tables of the project's own that it looks up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bring_ins: Vec<PinnedBringIn>,
        /// SHA-256 of the canonical parameters, hexadecimal.
        parameters_sha256: String,
    }
    /// A worker took a run.
    RunLeased = "run_leased" in Operation {
        /// Run.
        run_id: RunId,
        /// Lease.
        lease_id: LeaseId,
        /// Worker.
        worker_id: WorkerId,
        /// 1 for the first time.
        attempt: u32,
    }
    /// A run moved on.
    RunStateChanged = "run_state" in Operation {
        /// Run.
        run_id: RunId,
        /// State it is in now.
        state: RunState,
    }
    /// A run's sealed outputs arrived.
    RunCompleted = "run_completed" in Operation {
        /// Run.
        run_id: RunId,
        /// Who had asked for it.
        requested_by: PersonId,
        /// What it left.
        outputs: Vec<SealedOutput>,
        /// What it used.
        usage: RunUsage,
    }
    /// A run ended without outputs.
    RunFailed = "run_failed" in Operation {
        /// Run.
        run_id: RunId,
        /// Who had asked for it.
        requested_by: PersonId,
        /// Coarse class.
        class: FailureClass,
        /// What it used until then.
        usage: RunUsage,
    }
    /// A person ended a run.
    RunCancelled = "run_cancelled" in Operation {
        /// Run.
        run_id: RunId,
    }
    /// A worker lost a run or gave it back.
    LeaseLost = "lease_lost" in Operation {
        /// Run.
        run_id: RunId,
        /// Lease.
        lease_id: LeaseId,
    }
    /// A person looked at an output inside.
    OutputRead = "output_read" in Operation {
        /// Which.
        output_id: OutputId,
    }
    /// A researcher asked to take outputs out (持出し申請).
    ReviewRequested = "review_requested" in Operation {
        /// Request.
        review_request_id: ReviewRequestId,
        /// Run.
        run_id: RunId,
        /// 1 for the first time.
        round: u32,
    }
    /// A reviewer voted.
    VoteCast = "vote_cast" in Operation {
        /// Request.
        review_request_id: ReviewRequestId,
        /// Round voted on.
        round: u32,
        /// Verdict.
        verdict: Verdict,
        /// What the fresh assertion was bound to, SHA-256, hexadecimal.
        decision_sha256: String,
    }
    /// A round was decided, or the request was taken back.
    ReviewDecided = "review_decided" in Operation {
        /// Request.
        review_request_id: ReviewRequestId,
        /// State it is in now.
        outcome: ReviewState,
    }
    /// Outputs were released.
    Released = "released" in Operation {
        /// Release.
        release_id: ReleaseId,
        /// Request it answers.
        review_request_id: ReviewRequestId,
        /// Run.
        run_id: RunId,
        /// What left.
        outputs: Vec<SealedOutput>,
    }
    /// A release was fetched.
    ReleaseFetched = "release_fetched" in Operation {
        /// Which.
        release_id: ReleaseId,
    }
    /// A steward ordered a re-identification (再識別, RI-2).
    ReidentificationOrdered = "reidentification_ordered" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
        /// Release whose cell it is about.
        release_id: ReleaseId,
        /// SHA-256 of the order, hexadecimal; case number and recipient stand in it.
        order_sha256: String,
    }
    /// A second steward confirmed it.
    ReidentificationConfirmed = "reidentification_confirmed" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
        /// SHA-256 of the confirmed order as signed, hexadecimal.
        order_sha256: String,
    }
    /// A worker took it to trace it.
    TraceLeased = "trace_leased" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
        /// Worker.
        worker_id: WorkerId,
    }
    /// A trace left its worker without an end: given back, or its lease expired.
    TraceLost = "trace_lost" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
    }
    /// The tokens came, sealed for the identified zone.
    ReidentificationSealed = "reidentification_sealed" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
        /// SHA-256 of the sealed bytes, hexadecimal.
        sha256: String,
    }
    /// A steward fetched them.
    ReidentificationFetched = "reidentification_fetched" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
    }
    /// It ended without tokens.
    ReidentificationEnded = "reidentification_ended" in Operation {
        /// Which.
        reidentification_id: ReidentificationId,
        /// State it is in now.
        outcome: ReidentificationState,
    }
    /// The watch raised an alert (異常検知, LG-3).
    AlertRaised = "alert_raised" in Operation {
        /// Which.
        alert_id: AlertId,
        /// Stable rule id, such as `denied_burst`.
        rule: String,
        /// Index of the entry that completed the pattern.
        entry_index: u64,
        /// Whom it is about, if a person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person_id: Option<PersonId>,
        /// Their session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// Whom it is about, if a worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker_id: Option<WorkerId>,
        /// Whom it is about, if nobody known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
        /// One sentence for the watch.
        summary: String,
        /// Whether access was cut.
        access_cut: bool,
    }
    /// The gateway started.
    GatewayStarted = "gateway_started" in Operation {
        /// Its version.
        version: String,
    }
    /// The gateway stopped in good order.
    GatewayStopped = "gateway_stopped" in Operation {}
    /// The log was exported.
    LogExported = "log_exported" in Operation {
        /// First index.
        start: u64,
        /// First index after it.
        end: u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn lg_1_every_kind_belongs_to_one_of_two_logs_under_a_name_of_its_own() {
        let names: HashSet<_> = EventKind::NAMES.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), EventKind::NAMES.len());
        for (kind, stream) in [
            (EventKind::LoginStarted {}, "access_log"),
            (EventKind::GatewayStopped {}, "operation_log"),
            (EventKind::LogExported { start: 0, end: 1 }, "operation_log"),
        ] {
            assert_eq!(kind.stream().name(), stream);
            assert!(EventKind::NAMES.contains(&(kind.name(), kind.stream())));
        }
    }
}
