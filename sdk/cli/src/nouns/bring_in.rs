//! `sekisho bring-in`: tables of a project's own (持込み), checked here, brought in, decided.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use sekisho_bring_in::{Files, Finding, Table};
use sekisho_proto::v1::{
    BringIn, DecideBringInRequest, GetBringInRequest, GetBringInResponse, ListBringInsRequest,
    ReadBringInTableRequest, SubmitBringInHeader, SubmitBringInRequest, WithdrawBringInRequest,
    bring_in_service_client::BringInServiceClient, submit_bring_in_request::Part,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use crate::{
    bring_in::{files, refusal},
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    render::printable,
    screen::{fields, instant, plain, table},
};

const DECIDE: &str = "/sekisho.v1.BringInService/DecideBringIn";
const CHUNK: usize = 64 * 1024;

/// Tables of a project's own.
#[derive(Debug, Subcommand)]
pub(crate) enum BringInCommand {
    /// Check a table here, as the gateway will, and print every finding
    Check {
        /// Description and rows
        #[arg(value_name = "TABLE.toml[:ROWS.csv]")]
        files: String,
    },
    /// Check a table and bring it in; it waits for a steward
    Submit {
        /// Description and rows
        #[arg(value_name = "TABLE.toml[:ROWS.csv]")]
        files: String,
        /// Project the table is for
        #[arg(long)]
        project: String,
    },
    /// A project's tables, or those that wait for your review
    List {
        /// Project id
        #[arg(long, default_value = "")]
        project: String,
    },
    /// One table: state, hashes, and what it says of itself
    Show {
        /// Id of the table
        table: String,
        /// Also write its rows to this file, to review them; the log says so
        #[arg(long, value_name = "FILE")]
        rows: Option<PathBuf>,
    },
    /// Approve a table under review; needs a fresh assertion
    Approve(Decision),
    /// Refuse a table under review, which erases it; needs a fresh assertion
    Refuse(Decision),
    /// Take a table back: it is erased, and runs that look it up end
    Withdraw {
        /// Id of the table
        table: String,
        /// Why; kept with the table
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// A steward's decision.
#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// Id of the table
    table: String,
    /// Why; kept with the decision
    #[arg(long, default_value = "")]
    comment: String,
}

impl BringInCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        match self {
            Self::Check { files } => check(desk, &files),
            Self::Submit { files, project } => submit(desk, &files, project).await,
            Self::List { project } => list(desk, &project).await,
            Self::Show { table, rows } => show(desk, table, rows.as_deref()).await,
            Self::Approve(decision) => decide(desk, decision, true).await,
            Self::Refuse(decision) => decide(desk, decision, false).await,
            Self::Withdraw { table, reason } => withdraw(desk, table, reason).await,
        }
    }
}

/// Reads and checks the files as the gateway will.
fn checked(desk: &Desk, argument: &str) -> Result<(Files, Table), CliError> {
    let files = files(argument)?;
    match files.read() {
        Ok(table) => Ok((files, table)),
        Err(refused) => {
            if desk.screen.json {
                let findings: Vec<_> = refused.findings.iter().map(finding).collect();
                desk.screen.value(&json!({ "findings": findings, "more": refused.more }))?;
            }
            Err(refusal(argument, &refused))
        }
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
    })
}

fn check(desk: &Desk, argument: &str) -> Result<(), CliError> {
    let (files, table) = checked(desk, argument)?;
    let (name, rows) = (&table.description().table, table.rows());
    let sha256 = hex::encode(Sha256::digest(&files.csv));
    if desk.screen.json {
        let found = json!({ "table": name, "rows": rows, "table_sha256": sha256, "findings": [] });
        return desk.screen.value(&found);
    }
    desk.screen.text(&fields(&[
        ("table", name.clone()),
        ("rows", rows.to_string()),
        ("sha256", sha256),
        ("findings", "none; a steward will review it".to_owned()),
    ]))
}

async fn submit(desk: &Desk, argument: &str, project_id: String) -> Result<(), CliError> {
    let (Files { description, csv }, _) = checked(desk, argument)?;
    let description = String::from_utf8(description)
        .map_err(|_| CliError::Input("the description is not UTF-8".to_owned()))?;
    let sha256 = Sha256::digest(&csv).to_vec();
    let header = Part::Header(SubmitBringInHeader { project_id, description, sha256 });
    let chunks: Vec<_> = csv.chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec())).collect();
    let parts = tokio_stream::once(header).chain(tokio_stream::iter(chunks));
    let requests = parts.map(|part| SubmitBringInRequest { part: Some(part) });
    let mut client = BringInServiceClient::new(desk.connect_session().await?);
    let answer = client.submit_bring_in(requests).await?.into_inner();
    print(desk, answer.bring_in)
}

async fn list(desk: &Desk, project: &str) -> Result<(), CliError> {
    let client = BringInServiceClient::new(desk.connect_session().await?);
    let found = every_page(|page_token| {
        let mut client = client.clone();
        let project_id = project.to_owned();
        async move {
            let request = ListBringInsRequest { project_id, page_size: PAGE, page_token };
            let page = client.list_bring_ins(request).await?.into_inner();
            Ok((page.bring_ins, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("BringIn", &found, || {
        let mut rows = table(&["id", "table", "state", "rows", "bytes"], &[3, 4]);
        for one in &found {
            rows.add_row([
                one.bring_in_id.clone(),
                one.table.clone(),
                state(one),
                one.rows.to_string(),
                one.size_bytes.to_string(),
            ]);
        }
        rows
    })
}

async fn fetch(channel: &Channel, bring_in_id: String) -> Result<GetBringInResponse, CliError> {
    let mut client = BringInServiceClient::new(channel.clone());
    Ok(client.get_bring_in(GetBringInRequest { bring_in_id }).await?.into_inner())
}

async fn show(desk: &Desk, id: String, rows: Option<&Path>) -> Result<(), CliError> {
    let channel = desk.connect_session().await?;
    let answer = fetch(&channel, id.clone()).await?;
    if let Some(file) = rows {
        save_rows(&channel, id, file).await?;
    }
    desk.screen.record("GetBringInResponse", &answer, || {
        let mut text = answer.bring_in.as_ref().map(describe).unwrap_or_default();
        if !answer.description.is_empty() {
            text.push_str("\n\ndescription");
            for line in answer.description.lines() {
                text.push_str(&format!("\n{}", printable(line)));
            }
        }
        text
    })
}

/// Writes the rows into a new file that only its owner reads.
async fn save_rows(channel: &Channel, bring_in_id: String, file: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut client = BringInServiceClient::new(channel.clone());
    let request = ReadBringInTableRequest { bring_in_id };
    let mut chunks = client.read_bring_in_table(request).await?.into_inner();
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(CliError::file(file))?;
    while let Some(part) = chunks.message().await? {
        out.write_all(&part.chunk).map_err(CliError::file(file))?;
    }
    Ok(())
}

/// Shows what is decided on before the assertion is asked for.
async fn decide(desk: &Desk, decision: Decision, approve: bool) -> Result<(), CliError> {
    let channel = desk.connect_session().await?;
    let found = fetch(&channel, decision.table).await?.bring_in;
    let found = found.ok_or(CliError::Contract("a table"))?;
    desk.screen.remark(&describe(&found));
    let hash = |text: &str| hex::decode(text).map_err(|_| CliError::Contract("a SHA-256"));
    let mut request = DecideBringInRequest {
        description_sha256: hash(&found.description_sha256)?,
        table_sha256: hash(&found.table_sha256)?,
        bring_in_id: found.bring_in_id,
        approve,
        comment: decision.comment,
        step_up: None,
    };
    request.step_up = Some(step_up(&channel, desk.screen, DECIDE, &request).await?);
    let mut client = BringInServiceClient::new(channel);
    print(desk, client.decide_bring_in(request).await?.into_inner().bring_in)
}

async fn withdraw(desk: &Desk, bring_in_id: String, reason: String) -> Result<(), CliError> {
    let mut client = BringInServiceClient::new(desk.connect_session().await?);
    let request = WithdrawBringInRequest { bring_in_id, reason };
    print(desk, client.withdraw_bring_in(request).await?.into_inner().bring_in)
}

fn print(desk: &Desk, found: Option<BringIn>) -> Result<(), CliError> {
    let found = found.ok_or(CliError::Contract("a table"))?;
    desk.screen.record("BringIn", &found, || describe(&found))
}

fn state(found: &BringIn) -> String {
    plain(found.state().as_str_name(), "BRING_IN_STATE_")
}

fn describe(found: &BringIn) -> String {
    fields(&[
        ("id", found.bring_in_id.clone()),
        ("table", found.table.clone()),
        ("project", found.project_id.clone()),
        ("state", state(found)),
        ("rows", found.rows.to_string()),
        ("bytes", found.size_bytes.to_string()),
        ("sha256", found.table_sha256.clone()),
        ("description sha256", found.description_sha256.clone()),
        ("submitted by", found.submitted_by.clone()),
        ("submitted at", instant(found.submitted_at.as_ref())),
        ("decided by", found.decided_by.clone()),
        ("comment", found.decision_comment.clone()),
        ("withdrawn by", found.withdrawn_by.clone()),
        ("reason", found.withdrawal_reason.clone()),
    ])
}
