//! Analysis programs: upload, reading, decision.

use sekisho_app::{AppError, modules::NewModule};
use sekisho_proto::v1::{self, module_service_server::ModuleService, submit_module_request::Part};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, Desk, status};
use crate::{
    convert::{
        Invalid, comment, document, hash, id, invalid, name, optional_id, page, required, show,
        show_page,
    },
    limits::{CHUNK_BYTES, CHUNK_WAIT, MODULE_BYTES, UPLOAD_WAIT},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl ModuleService for Service {
    async fn submit_module(
        &self,
        request: Request<Streaming<v1::SubmitModuleRequest>>,
    ) -> Answer<v1::SubmitModuleResponse> {
        let (caller, mut parts) = admitted(request)?;
        // Held until the answer: what is limited is memory.
        let _upload = self.0.uploads.try_acquire().map_err(|_| {
            let message = "too many uploads at once; try again in a moment".to_owned();
            status(AppError::Limit { code: "UPLOADS_BUSY", message })
        })?;
        let module = header(next(&mut parts).await?)?;
        let component = timeout(UPLOAD_WAIT, component(&mut parts)).await;
        let component = component.unwrap_or_else(|_| {
            let message = "the upload took too long".to_owned();
            Err(status(AppError::Limit { code: "UPLOAD_STALLED", message }))
        })?;
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

/// The next part of an upload; `None` at its end.
async fn next(parts: &mut Streaming<v1::SubmitModuleRequest>) -> Result<Option<Part>, Status> {
    match timeout(CHUNK_WAIT, parts.message()).await {
        Ok(message) => {
            message?.map(|message| required(message.part, "part")).transpose().map_err(Status::from)
        }
        Err(_) => {
            let message = "the upload stood still for too long".to_owned();
            Err(status(AppError::Limit { code: "UPLOAD_STALLED", message }))
        }
    }
}

fn header(part: Option<Part>) -> Result<NewModule, Invalid> {
    let Some(Part::Header(header)) = part else {
        return Err(invalid("HEADER_MISSING", "header", "an upload begins with its header"));
    };
    Ok(NewModule {
        project_id: id(&header.project_id, "header.project_id")?,
        name: name(header.name, "header.name")?,
        manifest: document(header.manifest, "header.manifest")?,
        sha256: hash(&header.sha256, "header.sha256")?,
    })
}

async fn component(parts: &mut Streaming<v1::SubmitModuleRequest>) -> Result<Vec<u8>, Status> {
    let mut component = Vec::new();
    while let Some(part) = next(parts).await? {
        append(&mut component, part)?;
    }
    Ok(component)
}

/// The quota of the whole upload: the transport's limit is for one message only.
fn append(component: &mut Vec<u8>, part: Part) -> Result<(), Invalid> {
    let Part::Chunk(chunk) = part else {
        return Err(invalid("HEADER_REPEATED", "header", "only the first message is a header"));
    };
    if chunk.len() > CHUNK_BYTES {
        let message = format!("a chunk may have {CHUNK_BYTES} bytes");
        return Err(invalid("CHUNK_TOO_LONG", "chunk", message));
    }
    if component.len() + chunk.len() > MODULE_BYTES {
        let message = format!("a component may have {MODULE_BYTES} bytes");
        return Err(invalid("MODULE_TOO_LONG", "chunk", message));
    }
    component.extend_from_slice(&chunk);
    Ok(())
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
    fn an_upload_begins_with_one_whole_header() {
        assert!(header(Some(Part::Header(message()))).is_ok());
        assert_eq!(header(None).unwrap_err().code, "HEADER_MISSING");
        assert_eq!(header(Some(Part::Chunk(vec![0]))).unwrap_err().code, "HEADER_MISSING");
        let short = v1::SubmitModuleHeader { sha256: vec![1; 31], ..message() };
        assert_eq!(header(Some(Part::Header(short))).unwrap_err().code, "MALFORMED_HASH");
        let again = append(&mut Vec::new(), Part::Header(message()));
        assert_eq!(again.unwrap_err().code, "HEADER_REPEATED");
    }

    #[test]
    fn chunks_and_their_sum_are_bounded() {
        let mut component = Vec::new();
        let chunk = |bytes| Part::Chunk(vec![0; bytes]);
        assert_eq!(
            append(&mut component, chunk(CHUNK_BYTES + 1)).unwrap_err().code,
            "CHUNK_TOO_LONG"
        );
        for _ in 0..MODULE_BYTES / CHUNK_BYTES {
            append(&mut component, chunk(CHUNK_BYTES)).unwrap();
        }
        assert_eq!(append(&mut component, chunk(1)).unwrap_err().code, "MODULE_TOO_LONG");
        assert_eq!(component.len(), MODULE_BYTES);
    }
}
