//! `sekisho alert` and `sekisho session`: for the security watch.

use clap::Subcommand;
use sekisho_proto::v1::{
    Alert, ListAlertsRequest, RevokeSessionRequest, WatchAlertsRequest,
    alert_service_client::AlertServiceClient, session_service_client::SessionServiceClient,
};

use crate::{
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    screen::{instant, table, to_json},
};

/// Anomalies.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Print alerts as they are raised, until interrupted
    Watch {
        /// Stop after this many
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Past alerts, newest first
    List,
}

/// Sessions of others.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Cut a session at once
    Revoke {
        /// Session id
        session: String,
        /// Why; kept in the log
        #[arg(long)]
        reason: String,
    },
}

impl AlertCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let client = AlertServiceClient::new(desk.connect_session().await?);
        match self {
            Self::Watch { count } => watch(desk, client, count).await,
            Self::List => {
                let alerts = every_page(|page_token| {
                    let mut client = client.clone();
                    async move {
                        let request = ListAlertsRequest { page_size: PAGE, page_token };
                        let page = client.list_alerts(request).await?.into_inner();
                        Ok((page.alerts, page.next_page_token))
                    }
                })
                .await?;
                desk.screen.list("Alert", &alerts, || {
                    let mut rows = table(&["raised", "rule", "person", "entry", "what"], &[3]);
                    for alert in &alerts {
                        rows.add_row([
                            instant(alert.raised_at.as_ref()),
                            alert.rule.clone(),
                            alert.person_id.clone(),
                            alert.entry_index.to_string(),
                            alert.summary.clone(),
                        ]);
                    }
                    rows
                })
            }
        }
    }
}

impl SessionCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let Self::Revoke { session, reason } = self;
        let mut client = SessionServiceClient::new(desk.connect_session().await?);
        client.revoke_session(RevokeSessionRequest { session_id: session.clone(), reason }).await?;
        if desk.screen.json {
            let value = serde_json::json!({ "session_id": session, "revoked": true });
            return desk.screen.value(&value);
        }
        desk.screen.text(&format!("session {session} is cut"))
    }
}

async fn watch(
    desk: &Desk,
    mut client: AlertServiceClient<tonic::transport::Channel>,
    count: Option<u64>,
) -> Result<(), CliError> {
    let mut stream = client.watch_alerts(WatchAlertsRequest {}).await?.into_inner();
    desk.screen.remark("watching; interrupt to stop");
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let Some(answer) = stream.message().await? else {
            break;
        };
        let Some(alert) = answer.alert else { continue };
        seen += 1;
        if desk.screen.json {
            desk.screen.json_line(&to_json("Alert", &alert)?)?;
        } else {
            desk.screen.text(&line(&alert))?;
        }
    }
    Ok(())
}

fn line(alert: &Alert) -> String {
    let cut = if alert.access_cut { " [access cut]" } else { "" };
    format!(
        "{} {} {}{cut} (person {}, session {}, log entry {})",
        instant(alert.raised_at.as_ref()),
        alert.rule,
        alert.summary,
        alert.person_id,
        alert.session_id,
        alert.entry_index,
    )
}
