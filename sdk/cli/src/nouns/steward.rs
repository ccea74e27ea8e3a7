//! `sekisho steward`: people, organisations, datasets, agreements, workers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use sekisho_proto::v1::{
    EnrolWorkerRequest, OrganisationKind, RecordAgreementRequest, RegisterOrganisationRequest,
    steward_service_client::StewardServiceClient,
};
use tonic::transport::Channel;

use crate::{
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    nouns::{
        agreement_file, catalog, closing::ClosingCommand, dataset_file, key::KeyCommand,
        linkage::LinkageCommand, person::PersonCommand, project,
    },
    screen::{fields, plain},
};

const RECORD_AGREEMENT: &str = "/sekisho.v1.StewardService/RecordAgreement";

/// The producer's side.
#[derive(Debug, Subcommand)]
pub(crate) enum StewardCommand {
    /// Organisations
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// The roster
    #[command(subcommand)]
    Person(PersonCommand),
    /// Dataset versions
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Which databases may be analysed together
    #[command(subcommand)]
    Linkage(LinkageCommand),
    /// Agreements
    #[command(subcommand)]
    Agreement(AgreementCommand),
    /// The end of projects
    #[command(subcommand)]
    Project(ClosingCommand),
    /// Root keys of the gateway's vault
    #[command(subcommand)]
    Key(KeyCommand),
    /// Workers of the pseudonymised zone
    #[command(subcommand)]
    Worker(WorkerCommand),
}

/// Organisations.
#[derive(Debug, Subcommand)]
pub(crate) enum OrganisationCommand {
    /// Record an organisation
    Add {
        /// Its name
        #[arg(long)]
        name: String,
        /// What it is under the Act
        #[arg(long)]
        kind: Kind,
    },
}

/// An organisation's kind as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// 認定仮名加工医療情報作成事業者.
    Producer,
    /// 認定仮名加工医療情報利用事業者.
    UserOrg,
}

/// Dataset versions.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Publish a sealed version in the catalogue
    Register {
        /// The catalogue entry (JSON) that ingest wrote
        entry: PathBuf,
    },
}

/// Agreements.
#[derive(Debug, Subcommand)]
pub(crate) enum AgreementCommand {
    /// Record an agreement and open its project; needs a fresh assertion
    Record {
        /// The agreement (TOML; see sdk/cli/README.md)
        file: PathBuf,
    },
}

/// Workers.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Issue a worker's certificate
    Enrol {
        /// Name of the worker
        #[arg(long)]
        name: String,
        /// PKCS#10 request (PEM) made by `sekisho-worker init`
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
        /// The worker's folder, or one to be copied over it: tls/worker.pem, tls/ca.pem and
        /// ticket-verify.pub are written there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl StewardCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let channel = desk.connect_session().await?;
        match self {
            Self::Organisation(OrganisationCommand::Add { name, kind }) => {
                add_organisation(desk, channel, name, kind).await
            }
            Self::Person(command) => command.run(desk, channel).await,
            Self::Dataset(DatasetCommand::Register { entry }) => {
                register_dataset(desk, channel, &entry).await
            }
            Self::Linkage(command) => command.run(desk, channel).await,
            Self::Agreement(AgreementCommand::Record { file }) => {
                let request = agreement_file::read(&file)?;
                record_agreement(desk, channel, request).await
            }
            Self::Project(command) => command.run(desk, channel).await,
            Self::Key(command) => command.run(desk, channel).await,
            Self::Worker(WorkerCommand::Enrol { name, csr, out }) => {
                enrol_worker(desk, channel, name, &csr, &out).await
            }
        }
    }
}

async fn add_organisation(
    desk: &Desk,
    channel: Channel,
    name: String,
    kind: Kind,
) -> Result<(), CliError> {
    let kind = match kind {
        Kind::Producer => OrganisationKind::Producer,
        Kind::UserOrg => OrganisationKind::UserOrg,
    };
    let request = RegisterOrganisationRequest { name, kind: kind.into() };
    let mut client = StewardServiceClient::new(channel);
    let answer = client.register_organisation(request).await?.into_inner();
    let organisation = answer.organisation.ok_or(CliError::Contract("an organisation"))?;
    desk.screen.record("Organisation", &organisation, || {
        fields(&[
            ("organisation", organisation.organisation_id.clone()),
            ("name", organisation.name.clone()),
            ("kind", plain(organisation.kind().as_str_name(), "ORGANISATION_KIND_")),
        ])
    })
}

async fn register_dataset(desk: &Desk, channel: Channel, entry: &Path) -> Result<(), CliError> {
    let request = dataset_file::read(entry)?;
    let mut client = StewardServiceClient::new(channel);
    let answer = client.register_dataset(request).await?.into_inner();
    let dataset = answer.dataset.ok_or(CliError::Contract("a dataset"))?;
    desk.screen.record("Dataset", &dataset, || catalog::describe(&dataset))
}

async fn record_agreement(
    desk: &Desk,
    channel: Channel,
    mut request: RecordAgreementRequest,
) -> Result<(), CliError> {
    request.step_up = Some(step_up(&channel, desk.screen, RECORD_AGREEMENT, &request).await?);
    let mut client = StewardServiceClient::new(channel);
    let answer = client.record_agreement(request).await?.into_inner();
    let project = answer.project.ok_or(CliError::Contract("a project"))?;
    desk.screen.record("Project", &project, || project::describe(&project))
}

async fn enrol_worker(
    desk: &Desk,
    channel: Channel,
    name: String,
    csr: &Path,
    out: &Path,
) -> Result<(), CliError> {
    let certificate_request_pem = fs::read_to_string(csr).map_err(CliError::file(csr))?;
    let mut client = StewardServiceClient::new(channel);
    let answer = client
        .enrol_worker(EnrolWorkerRequest { name, certificate_request_pem })
        .await?
        .into_inner();
    let tls = out.join("tls");
    fs::create_dir_all(&tls).map_err(CliError::file(&tls))?;
    let (certificate, ticket) = (tls.join("worker.pem"), out.join("ticket-verify.pub"));
    let files = [
        (&certificate, answer.certificate_chain_pem.clone()),
        (&tls.join("ca.pem"), desk.profile.ca_pem()?),
        (&ticket, format!("{}\n", hex::encode(&answer.ticket_public_key))),
    ];
    for (path, text) in files {
        fs::write(path, text).map_err(CliError::file(path))?;
    }
    desk.screen.record("EnrolWorkerResponse", &answer, || {
        fields(&[
            ("worker", answer.worker_id.clone()),
            ("certificate", certificate.display().to_string()),
            ("ticket key", ticket.display().to_string()),
        ])
    })
}
