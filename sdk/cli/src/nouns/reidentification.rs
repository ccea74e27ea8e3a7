//! `sekisho reidentification`: the answer to a regulator's inquiry (再識別, RI-2). Hidden: to
//! whoever is no steward, the gateway answers as if there were no such thing.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use sekisho_proto::v1::{
    ConfirmReidentificationRequest, FetchReidentificationRequest, InquiryPurpose, InquiryRecipient,
    ListReidentificationsRequest, OrderReidentificationRequest, Reidentification,
    reidentification_service_client::ReidentificationServiceClient,
};
use serde_json::json;
use tonic::transport::Channel;

use crate::{
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    screen::{fields, instant, table},
};

const ORDER: &str = "/sekisho.v1.ReidentificationService/OrderReidentification";
const CONFIRM: &str = "/sekisho.v1.ReidentificationService/ConfirmReidentification";

/// Orders of re-identification.
#[derive(Debug, Subcommand)]
pub(crate) enum ReidentificationCommand {
    /// Order the patients of one released cell; needs a fresh assertion
    Order {
        /// The regulator's case number
        #[arg(long)]
        case: String,
        /// Whom the answer may go to
        #[arg(long, value_enum)]
        recipient: Recipient,
        /// Release id
        #[arg(long)]
        release: String,
        /// Output name
        #[arg(long)]
        output: String,
        /// Labels of the cell, in order, once for each
        #[arg(long = "key", value_name = "LABEL")]
        key: Vec<String>,
    },
    /// Confirm another steward's order; needs a fresh assertion
    Confirm {
        /// Order id
        order: String,
    },
    /// List the orders
    List,
    /// Fetch the signed order and the sealed tokens, for `sekisho-ingest reidentify`
    Fetch {
        /// Order id
        order: String,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The list of RI-3.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Recipient {
    /// 厚生労働大臣
    MinisterOfHealth,
    Pmda,
    Ema,
    Mhra,
    Fda,
}

impl From<Recipient> for InquiryRecipient {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::MinisterOfHealth => Self::MinisterOfHealth,
            Recipient::Pmda => Self::Pmda,
            Recipient::Ema => Self::Ema,
            Recipient::Mhra => Self::Mhra,
            Recipient::Fda => Self::Fda,
        }
    }
}

impl ReidentificationCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let channel = desk.connect_session().await?;
        match self {
            Self::Order { case, recipient, release, output, key } => {
                let request = OrderReidentificationRequest {
                    case_number: case,
                    recipient: InquiryRecipient::from(recipient).into(),
                    purpose: InquiryPurpose::Approval.into(),
                    release_id: release,
                    output,
                    key,
                    step_up: None,
                };
                order(desk, channel, request).await
            }
            Self::Confirm { order } => confirm(desk, channel, order).await,
            Self::List => {
                let found = every(&channel).await?;
                desk.screen.list("Reidentification", &found, || {
                    let mut rows = table(&["order", "state", "case", "cell", "patients"], &[4]);
                    for one in &found {
                        rows.add_row([
                            one.reidentification_id.clone(),
                            state(one),
                            one.case_number.clone(),
                            cell(one),
                            one.patients.to_string(),
                        ]);
                    }
                    rows
                })
            }
            Self::Fetch { order, out } => fetch(desk, channel, order, out).await,
        }
    }
}

async fn order(
    desk: &Desk,
    channel: Channel,
    mut request: OrderReidentificationRequest,
) -> Result<(), CliError> {
    request.step_up = Some(step_up(&channel, desk.screen, ORDER, &request).await?);
    let mut client = ReidentificationServiceClient::new(channel);
    let answer = client.order_reidentification(request).await?.into_inner();
    show(desk, answer.reidentification)
}

/// Shows what is confirmed before the assertion is asked for.
async fn confirm(desk: &Desk, channel: Channel, id: String) -> Result<(), CliError> {
    let found = every(&channel).await?;
    let found = found.into_iter().find(|one| one.reidentification_id == id);
    let found = found.ok_or_else(|| CliError::Input(format!("{id}: there is no such order")))?;
    desk.screen.remark(&describe(&found));
    let order_sha256 = found.order_sha256;
    let mut request =
        ConfirmReidentificationRequest { reidentification_id: id, order_sha256, step_up: None };
    request.step_up = Some(step_up(&channel, desk.screen, CONFIRM, &request).await?);
    let mut client = ReidentificationServiceClient::new(channel);
    let answer = client.confirm_reidentification(request).await?.into_inner();
    show(desk, answer.reidentification)
}

async fn fetch(desk: &Desk, channel: Channel, id: String, out: PathBuf) -> Result<(), CliError> {
    let mut client = ReidentificationServiceClient::new(channel);
    let request = FetchReidentificationRequest { reidentification_id: id };
    let answer = client.fetch_reidentification(request).await?.into_inner();
    let order = String::from_utf8(answer.order_json).map_err(|_| CliError::Contract("an order"))?;
    let file = json!({
        "order": order,
        "signature": hex::encode(answer.signature),
        "sealed_tokens": hex::encode(answer.sealed_tokens),
    });
    std::fs::write(&out, file.to_string()).map_err(CliError::file(&out))?;
    if desk.screen.json {
        return desk.screen.value(&json!({ "file": out }));
    }
    desk.screen.text(&format!("Take {} to the identified zone.", out.display()))
}

async fn every(channel: &Channel) -> Result<Vec<Reidentification>, CliError> {
    every_page(|page_token| {
        let mut client = ReidentificationServiceClient::new(channel.clone());
        async move {
            let request = ListReidentificationsRequest { page_size: PAGE, page_token };
            let page = client.list_reidentifications(request).await?.into_inner();
            Ok((page.reidentifications, page.next_page_token))
        }
    })
    .await
}

fn show(desk: &Desk, found: Option<Reidentification>) -> Result<(), CliError> {
    let found = found.ok_or(CliError::Contract("an order"))?;
    desk.screen.record("Reidentification", &found, || describe(&found))
}

fn describe(found: &Reidentification) -> String {
    fields(&[
        ("order", found.reidentification_id.clone()),
        ("state", state(found)),
        ("case", found.case_number.clone()),
        ("recipient", word(found.recipient().as_str_name())),
        ("release", found.release_id.clone()),
        ("cell", cell(found)),
        ("patients", found.patients.to_string()),
        ("ordered by", found.ordered_by.clone()),
        ("confirmed by", found.confirmed_by.clone()),
        ("confirm until", instant(found.expires_at.as_ref())),
    ])
}

fn cell(found: &Reidentification) -> String {
    format!("{} [{}]", found.output, found.key.join(", "))
}

fn state(found: &Reidentification) -> String {
    word(found.state().as_str_name())
}

/// The last word of an enumeration's name.
fn word(name: &str) -> String {
    let rest = name.strip_prefix("REIDENTIFICATION_STATE_");
    let rest = rest.or_else(|| name.strip_prefix("INQUIRY_RECIPIENT_"));
    rest.unwrap_or(name).to_lowercase()
}
