//! People, agreements, datasets, workers.

use sekisho_app::AppError;
use sekisho_proto::v1::{self, steward_service_server::StewardService};
use tonic::{Request, Response};

use super::{Answer, Desk, session::step_up, status};
use crate::{
    convert::{
        comment, dataset, document, id, name, new_agreement, new_person, optional_timestamp,
        organisation_kind, page, required, show, show_all, show_page,
    },
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl StewardService for Service {
    async fn register_organisation(
        &self,
        request: Request<v1::RegisterOrganisationRequest>,
    ) -> Answer<v1::RegisterOrganisationResponse> {
        let (caller, message) = admitted(request)?;
        let name = name(message.name, "name")?;
        let kind = organisation_kind(message.kind)?;
        let app = &self.0.app;
        let organisation = app.register_organisation(&caller, name, kind).await.map_err(status)?;
        let organisation = Some(show(organisation));
        Ok(Response::new(v1::RegisterOrganisationResponse { organisation }))
    }

    async fn register_person(
        &self,
        request: Request<v1::RegisterPersonRequest>,
    ) -> Answer<v1::RegisterPersonResponse> {
        let (caller, message) = admitted(request)?;
        let person = new_person(message)?;
        let registered = self.0.app.register_person(&caller, person).await.map_err(status)?;
        let invitation = registered.as_ref().invitation.clone();
        let person = Some(show(registered.map(|registered| registered.person)));
        Ok(Response::new(v1::RegisterPersonResponse { person, invitation }))
    }

    async fn list_people(
        &self,
        request: Request<v1::ListPeopleRequest>,
    ) -> Answer<v1::ListPeopleResponse> {
        let (caller, message) = admitted(request)?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_people(&caller, page).await.map_err(status)?;
        let (people, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListPeopleResponse { people, next_page_token }))
    }

    async fn remove_person(
        &self,
        request: Request<v1::RemovePersonRequest>,
    ) -> Answer<v1::RemovePersonResponse> {
        let (caller, message) = admitted(request)?;
        let person_id = id(&message.person_id, "person_id")?;
        let reason = comment(message.reason, "reason")?;
        let removed = self.0.app.remove_person(&caller, person_id, reason).await.map_err(status)?;
        Ok(Response::new(v1::RemovePersonResponse { person: Some(show(removed)) }))
    }

    async fn register_dataset(
        &self,
        request: Request<v1::RegisterDatasetRequest>,
    ) -> Answer<v1::RegisterDatasetResponse> {
        let (caller, message) = admitted(request)?;
        let dataset = dataset(message, caller.at)?;
        let registered = self.0.app.register_dataset(&caller, dataset).await.map_err(status)?;
        Ok(Response::new(v1::RegisterDatasetResponse { dataset: Some(show(registered)) }))
    }

    async fn set_linkage_date(
        &self,
        request: Request<v1::SetLinkageDateRequest>,
    ) -> Answer<v1::SetLinkageDateResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let rule_id = name(message.rule_id, "rule_id")?;
        let opens_at = optional_timestamp(message.opens_at, "opens_at")?;
        let app = &self.0.app;
        let set = app.set_linkage_date(&caller, &rule_id, opens_at, answer).await;
        Ok(Response::new(v1::SetLinkageDateResponse { rule: Some(show(set.map_err(status)?)) }))
    }

    async fn record_agreement(
        &self,
        request: Request<v1::RecordAgreementRequest>,
    ) -> Answer<v1::RecordAgreementResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let project_name = name(message.project_name, "project_name")?;
        let agreement = new_agreement(required(message.agreement, "agreement")?, caller.at)?;
        let app = &self.0.app;
        let project = app.record_agreement(&caller, project_name, agreement, answer).await;
        let project = Some(show(project.map_err(status)?));
        Ok(Response::new(v1::RecordAgreementResponse { project }))
    }

    async fn close_project(
        &self,
        request: Request<v1::CloseProjectRequest>,
    ) -> Answer<v1::CloseProjectResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let project_id = id(&message.project_id, "project_id")?;
        let reason = name(message.reason, "reason")?;
        let app = &self.0.app;
        let closed =
            app.close_project(&caller, project_id, reason, answer).await.map_err(status)?;
        Ok(Response::new(v1::CloseProjectResponse { project: Some(show(closed)) }))
    }

    async fn get_erasure_record(
        &self,
        request: Request<v1::GetErasureRecordRequest>,
    ) -> Answer<v1::GetErasureRecordResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = id(&message.project_id, "project_id")?;
        let proof = self.0.app.erasure(&caller, project_id).await.map_err(status)?;
        Ok(Response::new(show(proof)))
    }

    async fn list_vault_keys(
        &self,
        request: Request<v1::ListVaultKeysRequest>,
    ) -> Answer<v1::ListVaultKeysResponse> {
        let (caller, _) = admitted(request)?;
        let keys = self.0.app.vault_keys(&caller).await.map_err(status)?;
        Ok(Response::new(v1::ListVaultKeysResponse { keys: show_all(keys) }))
    }

    async fn rotate_vault_key(
        &self,
        request: Request<v1::RotateVaultKeyRequest>,
    ) -> Answer<v1::RotateVaultKeyResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let keys = self.0.app.rotate_vault_key(&caller, answer).await.map_err(status)?;
        Ok(Response::new(v1::RotateVaultKeyResponse { keys: show_all(keys) }))
    }

    async fn enrol_worker(
        &self,
        request: Request<v1::EnrolWorkerRequest>,
    ) -> Answer<v1::EnrolWorkerResponse> {
        let (caller, message) = admitted(request)?;
        let name = name(message.name, "name")?;
        let csr = document(message.certificate_request_pem, "certificate_request_pem")?;
        let enrolled = self.0.app.enrol_worker(&caller, name, &csr).await.map_err(status)?;
        let ticket_public_key = hex::decode(enrolled.ticket_public_key_hex)
            .map_err(|error| status(AppError::Internal(format!("ticket key: {error}"))))?;
        Ok(Response::new(v1::EnrolWorkerResponse {
            worker_id: enrolled.worker_id.to_string(),
            certificate_chain_pem: enrolled.certificate_chain_pem,
            ticket_public_key,
        }))
    }
}
