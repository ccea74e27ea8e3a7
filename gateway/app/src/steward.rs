//! The producer's office: organisations, the roster, datasets, agreements, workers.

use sekisho_access::{
    Caller, Visible,
    action::{
        EnrolWorker, ListPeople, RecordAgreement, RegisterDataset, RegisterOrganisation,
        RegisterPerson, RemovePerson,
    },
    resource::Site,
};
use sekisho_domain::{
    Agreement, AgreementId, Dataset, GrantedTable, Organisation, OrganisationId, OrganisationKind,
    Page, PageRequest, Person, PersonId, Project, ProjectId, ProvisionMethod, Role, Timestamp,
    WorkerId,
};
use sekisho_store::{StoreError, people::Invitation};

use crate::{App, AppError, login::code_sha256, quota, row_filter, step_up::StepUpAnswer};

/// Days an invitation stays good.
const INVITATION_DAYS: i64 = 7;
/// Days a worker's certificate stays good.
const WORKER_DAYS: i64 = 90;

/// A person to put on the roster.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Name as shown to colleagues.
    pub display_name: String,
    /// Organisation.
    pub organisation_id: OrganisationId,
    /// What they may act as.
    pub roles: Vec<Role>,
    /// OpenID Connect issuer of the first factor.
    pub oidc_issuer: String,
    /// Subject at that issuer.
    pub oidc_subject: String,
    /// Training valid until (ED-1).
    pub training_until: Option<Timestamp>,
    /// Pledge signed at (ED-1).
    pub pledged_at: Option<Timestamp>,
}

/// A person with the invitation to enrol; the code is shown once.
#[derive(Debug)]
pub struct RegisteredPerson {
    /// The person.
    pub person: Person,
    /// The code.
    pub invitation: String,
}

/// A worker with its certificate.
#[derive(Debug)]
pub struct EnrolledWorker {
    /// Identifier.
    pub worker_id: WorkerId,
    /// Client certificate, leaf first.
    pub certificate_chain_pem: String,
    /// Verifies run tickets (Ed25519).
    pub ticket_public_key_hex: String,
}

impl App {
    /// Records an organisation.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn register_organisation(
        &self,
        caller: &Caller,
        name: String,
        kind: OrganisationKind,
    ) -> Result<Visible<Organisation>, AppError> {
        let permit = self.authorizer.authorize::<RegisterOrganisation>(caller, Site).await?;
        let organisation_id = OrganisationId::new(caller.at);
        let organisation = Organisation { organisation_id, name, kind };
        Ok(self.store.register_organisation(permit, organisation).await?)
    }

    /// Puts a person on the roster (名簿) with an invitation to enrol.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for an unknown organisation, no role, or a steward (the
    /// producer's staff) of a user organisation;
    /// [`AppError::Conflict`] when the account belongs to somebody.
    pub async fn register_person(
        &self,
        caller: &Caller,
        new: NewPerson,
    ) -> Result<Visible<RegisteredPerson>, AppError> {
        let permit = self.authorizer.authorize::<RegisterPerson>(caller, Site).await?;
        let organisation = self.known_organisation(new.organisation_id, "organisation_id").await?;
        if new.roles.is_empty() {
            return Err(AppError::invalid("ROLE_MISSING", "roles", "name at least one role"));
        }
        if new.roles.contains(&Role::Steward) && organisation.kind != OrganisationKind::Producer {
            let why = "stewards are the producer's own staff";
            return Err(AppError::invalid("ROLE_OF_PRODUCER", "roles", why));
        }
        let (person, invitation, code) = enter(new, caller.at)?;
        let person = self.store.register_person(permit, person, invitation).await?;
        Ok(person.map(|person| RegisteredPerson { person, invitation: code }))
    }

    /// The roster.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_people(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Visible<Page<Person>>, AppError> {
        let permit = self.authorizer.authorize::<ListPeople>(caller, Site).await?;
        Ok(self.store.people(permit, &page).await?)
    }

    /// Takes a person off the roster; their sessions end at once (AU-2).
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn remove_person(
        &self,
        caller: &Caller,
        person_id: PersonId,
        reason: String,
    ) -> Result<Visible<Person>, AppError> {
        let permit = self.authorizer.authorize::<RemovePerson>(caller, Site).await?;
        Ok(self.store.remove_person(permit, person_id, reason).await?)
    }

    /// Publishes a sealed dataset version in the catalogue.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when the version is there already.
    pub async fn register_dataset(
        &self,
        caller: &Caller,
        mut dataset: Dataset,
    ) -> Result<Visible<Dataset>, AppError> {
        let permit = self.authorizer.authorize::<RegisterDataset>(caller, Site).await?;
        dataset.registered_at = caller.at;
        Ok(self.store.register_dataset(permit, dataset).await?)
    }

    /// Records an agreement (取決め), with a fresh assertion, and opens its project.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with the field that does not hold.
    pub async fn record_agreement(
        &self,
        caller: &Caller,
        project_name: String,
        mut agreement: Agreement,
        answer: StepUpAnswer,
    ) -> Result<Visible<Project>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let permit =
            self.authorizer.authorize_fresh::<RecordAgreement>(caller, Site, fresh).await?;
        // Only now: what is wrong with it tells who and what exists.
        self.check_agreement(&agreement).await?;
        self.check_joined(&agreement, caller.at).await?;
        agreement.agreement_id = AgreementId::new(caller.at);
        let project_id = ProjectId::new(caller.at);
        let project = Project { project_id, name: project_name, agreement, closure: None };
        Ok(self.store.record_agreement(permit, project).await?)
    }

    /// Lets a worker in: a certificate for its key, and the key that verifies tickets.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a certificate request that cannot be used.
    pub async fn enrol_worker(
        &self,
        caller: &Caller,
        name: String,
        certificate_request_pem: &str,
    ) -> Result<EnrolledWorker, AppError> {
        let permit = self.authorizer.authorize::<EnrolWorker>(caller, Site).await?;
        let worker_id = WorkerId::new(caller.at);
        let now = caller.at.seconds();
        let certificate_chain_pem = self.ca.issue_worker(
            certificate_request_pem,
            &worker_id.to_string(),
            now,
            now + WORKER_DAYS * 86_400,
        )?;
        self.store.enrol_worker(permit, worker_id, name).await?;
        let ticket_public_key_hex = self.ticket_signer.verifying().to_hex();
        Ok(EnrolledWorker { worker_id, certificate_chain_pem, ticket_public_key_hex })
    }

    pub(crate) async fn known_organisation(
        &self,
        organisation_id: OrganisationId,
        field: &str,
    ) -> Result<Organisation, AppError> {
        match self.store.organisation(organisation_id).await {
            Ok(organisation) => Ok(organisation.for_decision().clone()),
            Err(StoreError::NotFound(_)) => {
                Err(AppError::invalid("UNKNOWN", field, "no such organisation"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn check_agreement(&self, agreement: &Agreement) -> Result<(), AppError> {
        let organisation =
            self.known_organisation(agreement.organisation_id, "agreement.organisation_id").await?;
        let invalid =
            |field: &str, why: &str| Err(AppError::invalid("AGREEMENT_INVALID", field, why));
        if organisation.kind != OrganisationKind::UserOrg {
            return invalid("agreement.organisation_id", "must be a certified user organisation");
        }
        if agreement.provision_method != ProvisionMethod::Visiting {
            let why = "on-site use needs enrolled terminals, which this version does not have";
            return invalid("agreement.provision_method", why);
        }
        if agreement.purpose.trim().is_empty() {
            return invalid("agreement.purpose", "say what the data is used for (AG-1)");
        }
        if agreement.period_start >= agreement.period_end {
            return invalid("agreement.period_end", "must be after period_start (AG-6)");
        }
        if agreement.handlers.is_empty() || agreement.places.is_empty() {
            return invalid("agreement.handlers", "name handlers and places (AG-2)");
        }
        if agreement.min_cell == 0 || agreement.runs_per_hour == 0 {
            return invalid("agreement.min_cell", "min_cell and runs_per_hour must be positive");
        }
        quota::check(self.limits, &agreement.run_quota)?;
        self.check_handlers(agreement).await?;
        self.check_content(agreement).await
    }

    /// Handlers must be people of that organisation on the roster (AG-2, SV-2).
    async fn check_handlers(&self, agreement: &Agreement) -> Result<(), AppError> {
        let invalid = |why: &str| {
            Err(AppError::invalid("AGREEMENT_INVALID", "agreement.handlers", why.to_owned()))
        };
        let mut seen = std::collections::HashSet::new();
        for handler in &agreement.handlers {
            let person = match self.store.person(*handler).await {
                Err(StoreError::NotFound(_)) => return invalid("a handler is not on the roster"),
                found => found?,
            };
            let person = person.for_decision();
            if !person.active || person.organisation_id != agreement.organisation_id {
                return invalid("a handler is not an active person of the organisation");
            }
            if !seen.insert(handler) {
                return invalid("a handler is named twice");
            }
        }
        Ok(())
    }

    /// The content must exist: dataset versions, tables, columns (AG-3).
    async fn check_content(&self, agreement: &Agreement) -> Result<(), AppError> {
        let field = "agreement.tables";
        let invalid = |why: String| AppError::invalid("AGREEMENT_INVALID", field, why);
        for (dataset_id, version, tables) in agreement.datasets() {
            let dataset = match self.store.dataset(dataset_id, Some(version)).await {
                Err(StoreError::NotFound(_)) => {
                    return Err(invalid(format!("no dataset version {dataset_id} {version}")));
                }
                found => found?,
            };
            let dataset = dataset.for_decision();
            if agreement.min_cell < dataset.min_cell {
                let why = format!("{dataset_id} {version} asks for {} (OU-1)", dataset.min_cell);
                return Err(AppError::invalid("AGREEMENT_INVALID", "agreement.min_cell", why));
            }
            if tables.is_empty() {
                return Err(invalid(format!("grant at least one table of {dataset_id}")));
            }
            for granted in tables {
                check_table(dataset, granted).map_err(invalid)?;
            }
        }
        Ok(())
    }
}

fn check_table(dataset: &Dataset, granted: &GrantedTable) -> Result<(), String> {
    let table = dataset.tables.iter().find(|table| table.name == granted.table);
    let table = table.ok_or_else(|| format!("no table {}", granted.table))?;
    let known = |column: &&String| table.columns.iter().any(|known| known.name == **column);
    if let Some(column) = granted.columns.iter().find(|column| !known(column)) {
        return Err(format!("no column {}.{column}", granted.table));
    }
    let tokens = table.columns.iter().filter(|column| column.token);
    let tokens: Vec<_> = tokens.map(|column| column.name.as_str()).collect();
    row_filter::check(&granted.row_filter, &granted.columns, &tokens)
        .map_err(|why| format!("row filter of {}: {why}", granted.table))
}

/// A roster entry with its invitation and the code that is shown once.
pub(crate) fn enter(
    new: NewPerson,
    now: Timestamp,
) -> Result<(Person, Invitation, String), AppError> {
    let person = Person {
        person_id: PersonId::new(now),
        display_name: new.display_name,
        organisation_id: new.organisation_id,
        roles: new.roles,
        active: true,
        oidc_issuer: new.oidc_issuer,
        oidc_subject: new.oidc_subject,
        training_until: new.training_until,
        pledged_at: new.pledged_at,
    };
    let mut code = [0_u8; 20];
    getrandom::fill(&mut code).map_err(|error| AppError::Internal(error.to_string()))?;
    let code = hex::encode(code);
    let invitation = Invitation {
        code_sha256: code_sha256(&code),
        person_id: person.person_id,
        expires_at: now.plus_seconds(INVITATION_DAYS * 86_400),
    };
    Ok((person, invitation, code))
}
