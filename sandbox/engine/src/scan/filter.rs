use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::prelude::SessionContext;
use sekisho_module::ColumnKind;

use crate::failure::Failed;
use crate::view::TableView;

/// Parses a row filter against the granted columns of its table. Codes are compared as the
/// strings they stand for; identifiers not at all, for outside their zone nobody knows the
/// texts, and a filter by a wrong one could let every row through.
pub(super) fn parse(context: &SessionContext, view: &TableView) -> Result<Option<Expr>, Failed> {
    if view.row_filter.is_empty() {
        return Ok(None);
    }
    let fields: Vec<Field> = view
        .granted
        .iter()
        .filter(|c| !c.token)
        .map(|c| Field::new(&c.name, data_type(c.kind), true))
        .collect();
    let schema = DFSchema::try_from(Schema::new(fields)).map_err(refused)?;
    let filter = context.parse_sql_expr(&view.row_filter, &schema).map_err(refused)?;
    let complex = filter.exists(|e| Ok(!is_simple(e))).map_err(refused)?;
    if complex {
        let message = "a row filter may compare, combine, and test for null, nothing else";
        return Err(Failed::environment("row_filter", message));
    }
    let kind = filter.get_type(&schema).map_err(refused)?;
    if kind != DataType::Boolean {
        return Err(Failed::environment(
            "row_filter",
            format!("it gives {kind}, not true or false"),
        ));
    }
    Ok(Some(filter))
}

/// The type under which a filter sees a column.
pub(super) fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Patient => DataType::UInt64,
        ColumnKind::Code => {
            DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
        }
        ColumnKind::Int => DataType::Int64,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Date => DataType::Date32,
    }
}

/// No functions, subqueries, parameters or variables.
fn is_simple(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Column(_)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Cast(_)
    )
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn refused(error: datafusion::error::DataFusionError) -> Failed {
    Failed::environment("row_filter", error.to_string())
}
