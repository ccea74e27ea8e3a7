//! Analysis programs: upload, reading, decision.

use sekisho_app::modules::NewModule;
use sekisho_proto::v1::{self, module_service_server::ModuleService};
use tonic::{Request, Response, Streaming};

use super::{
    Answer, Desk, status,
    upload::{self, Part, Quota, Upload},
};
use crate::{
    convert::{Invalid, comment, document, hash, id, name, optional_id, page, show, show_page},
    limits::MODULE_BYTES,
    record::admitted,
};

const COMPONENT: Quota = Quota { bytes: MODULE_BYTES, code: "MODULE_TOO_LONG" };

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl ModuleService for Service {
    async fn submit_module(
        &self,
        request: Request<Streaming<v1::SubmitModuleRequest>>,
    ) -> Answer<v1::SubmitModuleResponse> {
        let (caller, mut parts) = admitted(request)?;
        // Held until the answer: what is limited is memory.
        let _place = upload::place(&self.0)?;
        let module = new_module(upload::header(&mut parts).await?)?;
        let component = upload::content(&mut parts, COMPONENT).await?;
        let submitted = self.0.app.submit_module(&caller, module, component).await;
        let (module, report) = show(submitted.map_err(status)?);
        Ok(Response::new(v1::SubmitModuleResponse { module: Some(module), report }))
    }

    async fn get_module(
        &self,
        request: Request<v1::GetModuleRequest>,
    ) -> Answer<v1::GetModuleResponse> {
        let (caller, message) = admitted(request)?;
        let module_id = id(&message.module_id, "module_id")?;
        let found = self.0.app.module(&caller, module_id).await.map_err(status)?;
        let manifest = found.as_ref().manifest.clone();
        let (module, report) = show(found.map(|found| found.module));
        Ok(Response::new(v1::GetModuleResponse { module: Some(module), report, manifest }))
    }

    async fn list_modules(
        &self,
        request: Request<v1::ListModulesRequest>,
    ) -> Answer<v1::ListModulesResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = optional_id(&message.project_id, "project_id")?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_modules(&caller, project_id, page).await.map_err(status)?;
        let (modules, next_page_token) = show_page(found);
        let modules = modules.into_iter().map(|(module, _)| module).collect();
        Ok(Response::new(v1::ListModulesResponse { modules, next_page_token }))
    }

    async fn decide_module(
        &self,
        request: Request<v1::DecideModuleRequest>,
    ) -> Answer<v1::DecideModuleResponse> {
        let (caller, message) = admitted(request)?;
        let module_id = id(&message.module_id, "module_id")?;
        let comment = comment(message.comment, "comment")?;
        let app = &self.0.app;
        let decided = app.decide_module(&caller, module_id, message.approve, comment).await;
        let (module, _) = show(decided.map_err(status)?);
        Ok(Response::new(v1::DecideModuleResponse { module: Some(module) }))
    }
}

impl Upload for v1::SubmitModuleRequest {
    type Header = v1::SubmitModuleHeader;

    fn part(self) -> Option<Part<Self::Header>> {
        use v1::submit_module_request::Part as Sent;
        self.part.map(|part| match part {
            Sent::Header(header) => Part::Header(header),
            Sent::Chunk(chunk) => Part::Chunk(chunk),
        })
    }
}

fn new_module(header: v1::SubmitModuleHeader) -> Result<NewModule, Invalid> {
    Ok(NewModule {
        project_id: id(&header.project_id, "header.project_id")?,
        name: name(header.name, "header.name")?,
        manifest: document(header.manifest, "header.manifest")?,
        sha256: hash(&header.sha256, "header.sha256")?,
    })
}

#[cfg(test)]
mod tests {
    use sekisho_domain::{ProjectId, Timestamp};

    use super::*;

    fn message() -> v1::SubmitModuleHeader {
        v1::SubmitModuleHeader {
            project_id: ProjectId::new(Timestamp::from_millis(1)).to_string(),
            name: "km-by-sex".to_owned(),
            manifest: "world = 'per-patient'".to_owned(),
            sha256: vec![1; 32],
        }
    }

    #[test]
    fn a_header_is_whole() {
        assert!(new_module(message()).is_ok());
        let short = v1::SubmitModuleHeader { sha256: vec![1; 31], ..message() };
        assert_eq!(new_module(short).unwrap_err().code, "MALFORMED_HASH");
    }
}
