//! The row filter of a view (AG-3), looked at when an agreement is recorded. The runner's
//! query engine reads the same text by the same parser and also looks at types: a filter that
//! compares what cannot be compared ends a run, and never widens it.

use sqlparser::{
    ast::{BinaryOperator as Op, Expr, UnaryOperator, Value},
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::Token,
};

/// Whether `text` compares granted columns with constants, and nothing else; says why not.
/// Columns of `tokens` cannot be compared: their codes read differently in every project.
pub(crate) fn check(text: &str, granted: &[String], tokens: &[&str]) -> Result<(), String> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let unreadable = |error: sqlparser::parser::ParserError| error.to_string();
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(unreadable)?;
    let filter = parser.parse_expr().map_err(unreadable)?;
    if parser.peek_token().token != Token::EOF {
        return Err("it goes on after its end".to_owned());
    }
    if !is_predicate(&filter) {
        return Err("it is not true or false of a row".to_owned());
    }
    let mut open = vec![&filter];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::Identifier(name) => {
                // As SQL has it: only a quoted name keeps its capitals.
                let column = match name.quote_style {
                    Some(_) => name.value.clone(),
                    None => name.value.to_lowercase(),
                };
                if !granted.contains(&column) {
                    return Err(format!("the view has no column {column}"));
                }
                if tokens.contains(&column.as_str()) {
                    return Err(format!("{column} holds tokens, which no filter can name"));
                }
            }
            _ => open.extend(parts(expr).ok_or_else(|| format!("not allowed: {expr}"))?),
        }
    }
    Ok(())
}

fn is_predicate(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_predicate(inner),
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOperator::Not),
        Expr::BinaryOp { op, .. } => is_comparison(op) || matches!(op, Op::And | Op::Or),
        Expr::Value(value) => matches!(value.value, Value::Boolean(_)),
        Expr::Identifier(_) | Expr::Cast { .. } | Expr::TypedString(_) => false,
        _ => true,
    }
}

fn is_comparison(op: &Op) -> bool {
    matches!(op, Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq)
}

fn is_arithmetic(op: &Op) -> bool {
    matches!(op, Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo)
}

/// What an allowed expression consists of; none for functions, subqueries and the like.
fn parts(expr: &Expr) -> Option<Vec<&Expr>> {
    Some(match expr {
        Expr::Value(value) if !matches!(value.value, Value::Placeholder(_)) => vec![],
        Expr::TypedString(_) => vec![],
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus, expr: inner }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => vec![inner],
        Expr::BinaryOp { left, op, right }
            if is_comparison(op) || is_arithmetic(op) || matches!(op, Op::And | Op::Or) =>
        {
            vec![left, right]
        }
        Expr::Like { any: false, expr, pattern, .. }
        | Expr::ILike { any: false, expr, pattern, .. } => vec![expr, pattern],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(&**expr).chain(list).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(filter: &str) -> Result<(), String> {
        let granted = ["site", "weight", "seen", "claim"].map(str::to_owned);
        check(filter, &granted, &["claim"])
    }

    #[test]
    fn ag_3_a_filter_compares_granted_columns_with_constants() {
        for filter in [
            "",
            "  ",
            "site = 'west'",
            "Site <> 'west' AND (weight + 1 >= 40.5 OR weight IS NULL)",
            "site NOT IN ('east', 'north')",
            "NOT (site LIKE 'w%')",
            "weight BETWEEN -1 AND 3",
            "seen >= DATE '2020-01-01'",
            "seen < CAST('2020-01-01' AS DATE)",
            "(weight > 1) IS NOT TRUE",
        ] {
            assert_eq!(checked(filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn ag_3_a_filter_that_says_more_is_refused() {
        let deep = format!("{}weight > 1{}", "(".repeat(4000), ")".repeat(4000));
        for filter in [
            "height > 3",
            "claim = 'a'",
            "weight > 1 OR claim IS NULL",
            "\"Site\" = 'west'",
            "site = (SELECT site FROM visits)",
            "EXISTS (SELECT 1)",
            "site IN (SELECT site FROM visits)",
            "weight + 1",
            "site",
            "random() > 0.5",
            "site = $1",
            "site = 'west'; DROP TABLE visits",
            "site = 'west' weight",
            "\"$patient\" = 0",
            "visits.site = 'west'",
            "CASE WHEN weight > 1 THEN true ELSE false END",
            "site = 'west",
            "@@version = 1",
            deep.as_str(),
        ] {
            assert!(checked(filter).is_err(), "{filter}");
        }
    }
}
