//! `sekisho steward person`: the roster (名簿).

use clap::{Subcommand, ValueEnum};
use sekisho_proto::v1::{
    ListPeopleRequest, Person, RegisterPersonRequest, RemovePersonRequest, Role,
    steward_service_client::StewardServiceClient,
};
use tonic::transport::Channel;

use crate::{
    error::CliError,
    gateway::Desk,
    nouns::{agreement_file::timestamp, whoami},
    pages::{PAGE, every_page},
    screen::{fields, instant, table},
};

/// The roster.
#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Put a person on the roster and print their one-time invitation
    Add(Box<NewPerson>),
    /// Everybody on the roster
    List,
    /// Take a person off the roster; their sessions end at once
    Remove {
        /// Person id
        person: String,
        /// Why; kept in the log
        #[arg(long)]
        reason: String,
    },
}

/// A person to be put on the roster.
#[derive(Debug, clap::Args)]
pub(crate) struct NewPerson {
    /// Display name
    #[arg(long)]
    name: String,
    /// Organisation id
    #[arg(long)]
    organisation: String,
    /// What they may act as; may be repeated
    #[arg(long = "role", required = true)]
    roles: Vec<RoleName>,
    /// OpenID Connect issuer of their first factor
    #[arg(long)]
    oidc_issuer: String,
    /// Their subject at that issuer
    #[arg(long)]
    oidc_subject: String,
    /// Until when their training counts, e.g. 2027-03-31T15:00:00Z
    #[arg(long, value_name = "INSTANT")]
    training_until: Option<jiff::Timestamp>,
    /// When they signed the pledge
    #[arg(long, value_name = "INSTANT")]
    pledged_at: Option<jiff::Timestamp>,
}

/// A role as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleName {
    /// 取扱者.
    Handler,
    /// Decides what enters.
    ModuleReviewer,
    /// Decides what leaves.
    OutputReviewer,
    /// Sees alerts and may cut access.
    SecurityWatch,
    /// The producer's staff.
    Steward,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Handler => Self::Handler,
            RoleName::ModuleReviewer => Self::ModuleReviewer,
            RoleName::OutputReviewer => Self::OutputReviewer,
            RoleName::SecurityWatch => Self::SecurityWatch,
            RoleName::Steward => Self::Steward,
        }
    }
}

impl PersonCommand {
    pub(crate) async fn run(self, desk: &Desk, channel: Channel) -> Result<(), CliError> {
        let mut client = StewardServiceClient::new(channel);
        match self {
            Self::Add(person) => add(desk, client, *person).await,
            Self::List => list(desk, client).await,
            Self::Remove { person, reason } => {
                let request = RemovePersonRequest { person_id: person, reason };
                let answer = client.remove_person(request).await?.into_inner();
                let person = answer.person.ok_or(CliError::Contract("a person"))?;
                desk.screen.record("Person", &person, || describe(&person, ""))
            }
        }
    }
}

async fn add(
    desk: &Desk,
    mut client: StewardServiceClient<Channel>,
    person: NewPerson,
) -> Result<(), CliError> {
    let roles = person.roles.into_iter().map(|name| Role::from(name).into());
    let answer = client
        .register_person(RegisterPersonRequest {
            display_name: person.name,
            organisation_id: person.organisation,
            roles: roles.collect(),
            oidc_issuer: person.oidc_issuer,
            oidc_subject: person.oidc_subject,
            training_until: person.training_until.map(timestamp),
            pledged_at: person.pledged_at.map(timestamp),
        })
        .await?
        .into_inner();
    desk.screen.record("RegisterPersonResponse", &answer, || {
        let person = answer.person.clone().unwrap_or_default();
        describe(&person, &answer.invitation)
    })
}

async fn list(desk: &Desk, client: StewardServiceClient<Channel>) -> Result<(), CliError> {
    let people = every_page(|page_token| {
        let mut client = client.clone();
        async move {
            let request = ListPeopleRequest { page_size: PAGE, page_token };
            let page = client.list_people(request).await?.into_inner();
            Ok((page.people, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("Person", &people, || {
        let mut rows = table(&["person", "name", "roles", "active"], &[]);
        for person in &people {
            rows.add_row([
                person.person_id.clone(),
                person.display_name.clone(),
                roles(person),
                if person.active { "yes" } else { "no" }.to_owned(),
            ]);
        }
        rows
    })
}

fn roles(person: &Person) -> String {
    let roles: Vec<String> = person.roles().map(whoami::role).collect();
    roles.join(", ")
}

fn describe(person: &Person, invitation: &str) -> String {
    fields(&[
        ("person", person.person_id.clone()),
        ("name", person.display_name.clone()),
        ("organisation", person.organisation_id.clone()),
        ("roles", roles(person)),
        ("active", if person.active { "yes" } else { "no" }.to_owned()),
        ("training until", instant(person.training_until.as_ref())),
        ("pledged at", instant(person.pledged_at.as_ref())),
        ("invitation", invitation.to_owned()),
    ])
}
