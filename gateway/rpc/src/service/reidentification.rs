//! Re-identification for a regulator's inquiry. Who may not know of it never gets here: the
//! record layer passes such a call on as one to a method that does not exist.

use sekisho_proto::v1::{self, reidentification_service_server::ReidentificationService};
use tonic::{Request, Response};

use super::{Answer, Desk, session::step_up, status};
use crate::{
    convert::{hash, id, new_reidentification, page, show, show_page},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl ReidentificationService for Service {
    async fn order_reidentification(
        &self,
        request: Request<v1::OrderReidentificationRequest>,
    ) -> Answer<v1::OrderReidentificationResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let new = new_reidentification(message)?;
        let ordered = self.0.app.order_reidentification(&caller, new, answer).await;
        let reidentification = Some(show(ordered.map_err(status)?));
        Ok(Response::new(v1::OrderReidentificationResponse { reidentification }))
    }

    async fn confirm_reidentification(
        &self,
        request: Request<v1::ConfirmReidentificationRequest>,
    ) -> Answer<v1::ConfirmReidentificationResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let id = id(&message.reidentification_id, "reidentification_id")?;
        let order_sha256 = hash(&message.order_sha256, "order_sha256")?;
        let app = &self.0.app;
        let confirmed = app.confirm_reidentification(&caller, id, order_sha256, answer).await;
        let reidentification = Some(show(confirmed.map_err(status)?));
        Ok(Response::new(v1::ConfirmReidentificationResponse { reidentification }))
    }

    async fn list_reidentifications(
        &self,
        request: Request<v1::ListReidentificationsRequest>,
    ) -> Answer<v1::ListReidentificationsResponse> {
        let (caller, message) = admitted(request)?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_reidentifications(&caller, page).await.map_err(status)?;
        let (reidentifications, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListReidentificationsResponse { reidentifications, next_page_token }))
    }

    async fn fetch_reidentification(
        &self,
        request: Request<v1::FetchReidentificationRequest>,
    ) -> Answer<v1::FetchReidentificationResponse> {
        let (caller, message) = admitted(request)?;
        let id = id(&message.reidentification_id, "reidentification_id")?;
        let fetched = self.0.app.fetch_reidentification(&caller, id).await.map_err(status)?;
        Ok(Response::new(show(fetched)))
    }
}
