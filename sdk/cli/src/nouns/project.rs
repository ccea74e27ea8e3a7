//! `sekisho project`: the agreements one works under.

use clap::Subcommand;
use sekisho_proto::v1::{
    GetProjectRequest, GrantedTable, ListProjectsRequest, Project,
    project_service_client::ProjectServiceClient,
};

use crate::{
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    screen::{fields, instant, plain, table},
};

/// Projects and their agreements.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Your projects
    List,
    /// One project with its agreement
    Show {
        /// Project id
        project: String,
    },
}

impl ProjectCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let client = ProjectServiceClient::new(desk.connect_session().await?);
        match self {
            Self::List => {
                let projects = every_page(|page_token| {
                    let mut client = client.clone();
                    async move {
                        let request = ListProjectsRequest { page_size: PAGE, page_token };
                        let page = client.list_projects(request).await?.into_inner();
                        Ok((page.projects, page.next_page_token))
                    }
                })
                .await?;
                desk.screen.list("Project", &projects, || rows(&projects))
            }
            Self::Show { project } => {
                let request = GetProjectRequest { project_id: project };
                let answer = client.clone().get_project(request).await?.into_inner();
                let project = answer.project.ok_or(CliError::Contract("a project"))?;
                desk.screen.record("Project", &project, || describe(&project))
            }
        }
    }
}

fn closed(project: &Project) -> String {
    match &project.closure {
        None => "no".to_owned(),
        Some(closure) => {
            format!("{}: {}", instant(closure.closed_at.as_ref()), closure.reason)
        }
    }
}

pub(crate) fn describe(project: &Project) -> String {
    let Some(agreement) = &project.agreement else {
        return fields(&[("project", project.project_id.clone())]);
    };
    let joined: Vec<_> = agreement
        .joined
        .iter()
        .map(|joined| format!("{} {}", joined.dataset_id, joined.dataset_version))
        .collect();
    let tables = agreement.joined.iter().flat_map(|joined| &joined.tables);
    let tables: Vec<_> = agreement.tables.iter().chain(tables).map(granted).collect();
    let quota = agreement.run_quota.unwrap_or_default();
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    fields(&[
        ("project", project.project_id.clone()),
        ("name", project.name.clone()),
        ("closed", closed(project)),
        ("agreement", agreement.agreement_id.clone()),
        ("organisation", agreement.organisation_id.clone()),
        ("purpose", agreement.purpose.clone()),
        ("handlers", agreement.handlers.join(", ")),
        ("places", agreement.places.join(", ")),
        ("dataset", format!("{} {}", agreement.dataset_id, agreement.dataset_version)),
        ("joined with", joined.join(", ")),
        ("columns", tables.join("; ")),
        ("from", instant(agreement.period_start.as_ref())),
        ("until", instant(agreement.period_end.as_ref())),
        ("provision", plain(agreement.provision_method().as_str_name(), "PROVISION_METHOD_")),
        ("bring in", yes(agreement.bring_in)),
        ("take out", yes(agreement.take_out)),
        ("minimum cell", agreement.min_cell.to_string()),
        ("least patients", agreement.cohort_floor.to_string()),
        ("runs per hour", agreement.runs_per_hour.to_string()),
        ("runs per day", limit(agreement.runs_per_day.into())),
        ("rows per run", limit(quota.rows)),
        ("fuel", limit(quota.fuel)),
        ("memory bytes", limit(quota.memory_bytes)),
        ("output cells", limit(quota.output_cells.into())),
    ])
}

/// A limit of the agreement; `–` where it sets none and the site's holds.
fn limit(limit: u64) -> String {
    if limit == 0 { "–".to_owned() } else { limit.to_string() }
}

fn granted(table: &GrantedTable) -> String {
    let filter = match table.row_filter.as_str() {
        "" => String::new(),
        filter => format!(" where {filter}"),
    };
    format!("{}({}){filter}", table.table, table.columns.join(", "))
}

fn rows(projects: &[Project]) -> comfy_table::Table {
    let mut rows = table(&["project", "name", "dataset", "until"], &[]);
    for project in projects {
        let agreement = project.agreement.clone().unwrap_or_default();
        rows.add_row([
            project.project_id.clone(),
            project.name.clone(),
            format!("{} {}", agreement.dataset_id, agreement.dataset_version),
            instant(agreement.period_end.as_ref()),
        ]);
    }
    rows
}
