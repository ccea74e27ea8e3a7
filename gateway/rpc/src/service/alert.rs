//! Anomalies as they happen.

use futures::{Stream, stream};
use sekisho_access::Visible;
use sekisho_app::AppError;
use sekisho_domain::Alert;
use sekisho_proto::v1::{self, alert_service_server::AlertService};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::{Request, Response, Status};

use super::{Answer, Desk, status};
use crate::{
    convert::{Shown, page, show_page},
    held::{Answers, while_admitted},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl AlertService for Service {
    type WatchAlertsStream = Answers<v1::WatchAlertsResponse>;

    async fn watch_alerts(
        &self,
        request: Request<v1::WatchAlertsRequest>,
    ) -> Answer<Self::WatchAlertsStream> {
        let hold = self.0.hold(&request)?;
        let (caller, _) = admitted(request)?;
        let alerts = self.0.app.watch_alerts(&caller).await.map_err(status)?;
        Ok(Response::new(while_admitted(hold, live(alerts))))
    }

    async fn list_alerts(
        &self,
        request: Request<v1::ListAlertsRequest>,
    ) -> Answer<v1::ListAlertsResponse> {
        let (caller, message) = admitted(request)?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_alerts(&caller, page).await.map_err(status)?;
        let (alerts, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListAlertsResponse { alerts, next_page_token }))
    }
}

/// Alerts as they come. A watcher that is too slow is told so, rather than left to
/// believe that nothing happened.
fn live(
    alerts: Visible<Receiver<Alert>>,
) -> impl Stream<Item = Result<v1::WatchAlertsResponse, Status>> {
    stream::unfold(alerts.into_inner(), |mut alerts| async move {
        let answer = match alerts.recv().await {
            Ok(alert) => Ok(v1::WatchAlertsResponse { alert: Some(alert.message()) }),
            Err(RecvError::Lagged(missed)) => {
                let message = format!("{missed} alerts came too fast; list them and watch again");
                Err(status(AppError::Limit { code: "ALERTS_MISSED", message }))
            }
            Err(RecvError::Closed) => return None,
        };
        Some((answer, alerts))
    })
}
