//! Brought-in tables: upload, reading, decision, withdrawal.

use futures::stream;
use sekisho_app::bring_ins::{NewBringIn, Reviewed};
use sekisho_proto::v1::{self, bring_in_service_server::BringInService};
use tonic::{Request, Response, Streaming};

use super::{
    Answer, Desk,
    session::step_up,
    status,
    upload::{self, Part, Quota, Upload},
};
use crate::{
    convert::{Invalid, comment, document, hash, id, optional_id, page, show, show_page},
    held::{Answers, while_admitted},
    limits::{CHUNK_BYTES, TABLE_BYTES},
    record::admitted,
};

const TABLE: Quota = Quota { bytes: TABLE_BYTES, code: "TABLE_TOO_LONG" };

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl BringInService for Service {
    async fn submit_bring_in(
        &self,
        request: Request<Streaming<v1::SubmitBringInRequest>>,
    ) -> Answer<v1::SubmitBringInResponse> {
        let (caller, mut parts) = admitted(request)?;
        // Held until the answer: what is limited is memory.
        let _place = upload::place(&self.0)?;
        let new = new_bring_in(upload::header(&mut parts).await?)?;
        let csv = upload::content(&mut parts, TABLE).await?;
        let submitted = self.0.app.submit_bring_in(&caller, new, csv).await.map_err(status)?;
        Ok(Response::new(v1::SubmitBringInResponse { bring_in: Some(show(submitted)) }))
    }

    async fn get_bring_in(
        &self,
        request: Request<v1::GetBringInRequest>,
    ) -> Answer<v1::GetBringInResponse> {
        let (caller, message) = admitted(request)?;
        let id = id(&message.bring_in_id, "bring_in_id")?;
        let found = self.0.app.bring_in(&caller, id).await.map_err(status)?;
        let description = found.as_ref().description.clone();
        let bring_in = Some(show(found.map(|found| found.bring_in)));
        Ok(Response::new(v1::GetBringInResponse { bring_in, description }))
    }

    async fn list_bring_ins(
        &self,
        request: Request<v1::ListBringInsRequest>,
    ) -> Answer<v1::ListBringInsResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = optional_id(&message.project_id, "project_id")?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_bring_ins(&caller, project_id, page).await.map_err(status)?;
        let (bring_ins, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListBringInsResponse { bring_ins, next_page_token }))
    }

    type ReadBringInTableStream = Answers<v1::ReadBringInTableResponse>;

    async fn read_bring_in_table(
        &self,
        request: Request<v1::ReadBringInTableRequest>,
    ) -> Answer<Self::ReadBringInTableStream> {
        let hold = self.0.hold(&request)?;
        let (caller, message) = admitted(request)?;
        let id = id(&message.bring_in_id, "bring_in_id")?;
        let csv = self.0.app.read_bring_in(&caller, id).await.map_err(status)?.into_inner();
        let chunk = |chunk: &[u8]| Ok(v1::ReadBringInTableResponse { chunk: chunk.to_vec() });
        let chunks: Vec<_> = csv.chunks(CHUNK_BYTES).map(chunk).collect();
        Ok(Response::new(while_admitted(hold, stream::iter(chunks))))
    }

    async fn decide_bring_in(
        &self,
        request: Request<v1::DecideBringInRequest>,
    ) -> Answer<v1::DecideBringInResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let reviewed = Reviewed {
            bring_in_id: id(&message.bring_in_id, "bring_in_id")?,
            description_sha256: hash(&message.description_sha256, "description_sha256")?,
            table_sha256: hash(&message.table_sha256, "table_sha256")?,
            approve: message.approve,
            comment: comment(message.comment, "comment")?,
        };
        let decided = self.0.app.decide_bring_in(&caller, reviewed, answer).await;
        let bring_in = Some(show(decided.map_err(status)?));
        Ok(Response::new(v1::DecideBringInResponse { bring_in }))
    }

    async fn withdraw_bring_in(
        &self,
        request: Request<v1::WithdrawBringInRequest>,
    ) -> Answer<v1::WithdrawBringInResponse> {
        let (caller, message) = admitted(request)?;
        let id = id(&message.bring_in_id, "bring_in_id")?;
        let reason = comment(message.reason, "reason")?;
        let withdrawn = self.0.app.withdraw_bring_in(&caller, id, reason).await;
        let bring_in = Some(show(withdrawn.map_err(status)?));
        Ok(Response::new(v1::WithdrawBringInResponse { bring_in }))
    }
}

impl Upload for v1::SubmitBringInRequest {
    type Header = v1::SubmitBringInHeader;

    fn part(self) -> Option<Part<Self::Header>> {
        use v1::submit_bring_in_request::Part as Sent;
        self.part.map(|part| match part {
            Sent::Header(header) => Part::Header(header),
            Sent::Chunk(chunk) => Part::Chunk(chunk),
        })
    }
}

fn new_bring_in(header: v1::SubmitBringInHeader) -> Result<NewBringIn, Invalid> {
    Ok(NewBringIn {
        project_id: id(&header.project_id, "header.project_id")?,
        description: document(header.description, "header.description")?,
        sha256: hash(&header.sha256, "header.sha256")?,
    })
}
