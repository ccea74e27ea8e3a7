//! What a planned query may be made of, the order of its rows, and where its columns come from.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as Planned};
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunctionDefinition};
use datafusion::logical_expr::logical_plan::{Distinct, LogicalPlan, Sort};
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlanBuilder, Operator};

use super::functions;
use super::text::MOST_TABLES;
use crate::failure::Failed;

/// Sets of columns that one GROUP BY groups by.
const MOST_GROUPINGS: usize = 64;

/// Refuses every step and every expression that is not on the list.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), Failed> {
    let (mut wrong, mut scans) = (None, 0);
    let looked = plan.apply_with_subqueries(|step| {
        scans += usize::from(matches!(step, LogicalPlan::TableScan(_)));
        if !is_step(step) {
            wrong = Some(Failed::contract("query_construct", format!("{} ", step.display())));
        }
        step.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some(failed) = refused(expr) {
                    wrong = Some(failed);
                }
                Ok(next(wrong.is_some()))
            })
        })?;
        Ok(next(wrong.is_some() || scans > MOST_TABLES))
    });
    looked.map_err(|e| Failed::contract("query_plan", e.to_string()))?;
    if scans > MOST_TABLES {
        let message = format!("it reads tables more than {MOST_TABLES} times");
        return Err(Failed::limit("query_size", message));
    }
    wrong.map_or(Ok(()), Err)
}

fn next(stop: bool) -> TreeNodeRecursion {
    if stop { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue }
}

fn is_step(step: &LogicalPlan) -> bool {
    matches!(
        step,
        LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
    )
}

fn refused(expr: &Expr) -> Option<Failed> {
    let unknown = |name: &str| {
        Some(Failed::contract("query_function", format!("function {name} is not on the list")))
    };
    match expr {
        Expr::ScalarFunction(call) if !functions::is_scalar(call.name()) => unknown(call.name()),
        Expr::AggregateFunction(call) if !functions::is_aggregate(call.func.name()) => {
            unknown(call.func.name())
        }
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::WindowUDF(f) if functions::is_window(f.name()) => None,
            WindowFunctionDefinition::AggregateUDF(f) if functions::moves(f.name()) => None,
            other => unknown(other.name()),
        },
        other if is_expression(other) => None,
        other => Some(Failed::contract("query_construct", format!("{other} is not allowed"))),
    }
}

fn is_expression(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => is_operator(binary.op),
        Expr::GroupingSet(GroupingSet::Cube(columns)) => {
            columns.len() <= MOST_GROUPINGS.ilog2() as usize
        }
        Expr::GroupingSet(GroupingSet::Rollup(columns)) => columns.len() < MOST_GROUPINGS,
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => sets.len() <= MOST_GROUPINGS,
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Literal(..)
        | Expr::Placeholder(_)
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
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_)
        | Expr::AggregateFunction(_)
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::ScalarSubquery(_) => true,
        _ => false,
    }
}

/// No regular expressions, no bits, nothing that makes a text longer.
fn is_operator(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::Divide
            | Operator::Modulo
            | Operator::And
            | Operator::Or
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// Whether rows come as they are read: a filter and a projection of one table, no more.
pub(super) fn streams(plan: &LogicalPlan) -> bool {
    let row_by_row = plan.exists(|step| {
        let row_by_row = matches!(
            step,
            LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::TableScan(_)
                | LogicalPlan::Limit(_)
        );
        let mut subquery = false;
        step.apply_expressions(|expr| {
            subquery |= expr.exists(|e| {
                let of_another =
                    matches!(e, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_));
                Ok(of_another)
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(!row_by_row || subquery)
    });
    row_by_row.is_ok_and(|other| !other)
}

/// Puts the rows in an order that leaves nothing open: every `order by` is followed by all
/// columns of its rows, and a query that streams no rows and has none gets one, over at most
/// `rows` rows.
pub(super) fn in_order(plan: LogicalPlan, rows: usize) -> Planned<LogicalPlan> {
    let streams = streams(&plan);
    let plan = plan.transform_up_with_subqueries(|step| match step {
        LogicalPlan::Sort(sort) => Ok(Transformed::yes(LogicalPlan::Sort(whole(sort)))),
        other => Ok(Transformed::no(other)),
    })?;
    let plan = plan.data;
    if streams {
        return Ok(plan);
    }
    let ordered = is_ordered(&plan);
    let most = LogicalPlanBuilder::from(plan).limit(0, Some(rows))?;
    if ordered {
        return most.build();
    }
    let columns = most.schema().columns();
    most.sort(columns.into_iter().map(by))?.build()
}

fn by(column: Column) -> SortExpr {
    SortExpr { expr: Expr::Column(column), asc: true, nulls_first: false }
}

fn whole(mut sort: Sort) -> Sort {
    let columns = sort.input.schema().columns().into_iter().map(by);
    let missing: Vec<_> =
        columns.filter(|by| !sort.expr.iter().any(|known| known.expr == by.expr)).collect();
    sort.expr.extend(missing);
    sort
}

fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(step) => is_ordered(&step.input),
        LogicalPlan::Limit(step) => is_ordered(&step.input),
        _ => false,
    }
}

/// Table and name of the declared column that a column is, given as it is.
pub(super) fn origin(plan: &LogicalPlan, column: &Column) -> Option<(String, String)> {
    let of = |input: &LogicalPlan, expr: &Expr| match expr {
        Expr::Column(column) => origin(input, column),
        Expr::Alias(alias) => match &*alias.expr {
            Expr::Column(column) => origin(input, column),
            _ => None,
        },
        _ => None,
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            Some((scan.table_name.table().to_owned(), column.name.clone()))
        }
        LogicalPlan::Filter(step) => origin(&step.input, column),
        LogicalPlan::Sort(step) => origin(&step.input, column),
        LogicalPlan::Limit(step) => origin(&step.input, column),
        LogicalPlan::Distinct(Distinct::All(input)) => origin(input, column),
        LogicalPlan::Window(step) if step.input.schema().has_column(column) => {
            origin(&step.input, column)
        }
        LogicalPlan::SubqueryAlias(step) => {
            let at = step.schema.index_of_column(column).ok()?;
            origin(&step.input, step.input.schema().columns().get(at)?)
        }
        LogicalPlan::Projection(step) => {
            let at = step.schema.index_of_column(column).ok()?;
            of(&step.input, step.expr.get(at)?)
        }
        LogicalPlan::Aggregate(step) => {
            let at = step.schema.index_of_column(column).ok()?;
            of(&step.input, step.group_expr.get(at)?)
        }
        LogicalPlan::Join(step) if step.left.schema().has_column(column) => {
            origin(&step.left, column)
        }
        LogicalPlan::Join(step) if step.right.schema().has_column(column) => {
            origin(&step.right, column)
        }
        _ => None,
    }
}
