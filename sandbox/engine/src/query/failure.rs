//! Why a query ends its run. Texts of DataFusion may quote values: they stay with the developer
//! over dummy data.

use datafusion::common::{DataFusionError, SchemaError};

use crate::failure::Failed;

/// A failure of ours on its way through DataFusion.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.code)]
pub(super) struct Ended(Failed);

impl Ended {
    pub(super) fn error(failed: Failed) -> DataFusionError {
        DataFusionError::External(Box::new(Self(failed)))
    }
}

/// Why a query could not be planned.
#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(super) fn planning(error: DataFusionError) -> Failed {
    match error.find_root() {
        DataFusionError::SchemaError(wrong, _) => match **wrong {
            SchemaError::FieldNotFound { .. } => {
                Failed::contract("query_column", error.to_string())
            }
            _ => Failed::contract("query_plan", error.to_string()),
        },
        _ => common(&error).unwrap_or_else(|| Failed::contract("query_plan", error.to_string())),
    }
}

/// Why it ended while it ran: mostly a value that an operation does not take.
#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(super) fn running(error: DataFusionError) -> Failed {
    common(&error).unwrap_or_else(|| Failed::module("query_value", error.to_string()))
}

fn common(error: &DataFusionError) -> Option<Failed> {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(what) => Some(Failed::limit("query_memory", what)),
        DataFusionError::External(ours) => Some(ours.downcast_ref::<Ended>()?.0.clone()),
        _ => None,
    }
}
