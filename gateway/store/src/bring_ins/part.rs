//! The sealed objects of a brought-in table: names and contexts.

use sekisho_domain::{BringIn, BringInId, ProjectId};
use sekisho_vault::Context;

/// The two sealed objects of a table.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Description,
    Table,
}

impl Part {
    /// Workers open it under the same.
    pub(super) fn context(self, id: BringInId) -> Context {
        let label = match self {
            Self::Description => "bring-in-description",
            Self::Table => "bring-in-table",
        };
        Context::new(label).text(&id.to_string())
    }

    pub(super) fn name(self, project_id: ProjectId, id: BringInId) -> String {
        let part = match self {
            Self::Description => "description",
            Self::Table => "table",
        };
        format!("{}{id}.{part}", folder(project_id))
    }
}

/// Everything that was ever brought into a project lies right in this, so that what a crash
/// left there without a row is found again.
pub(crate) fn folder(project_id: ProjectId) -> String {
    format!("bring-ins/{project_id}/")
}

pub(crate) fn object_names(found: &BringIn) -> [String; 2] {
    let name = |part: Part| part.name(found.project_id, found.bring_in_id);
    [name(Part::Description), name(Part::Table)]
}
