//! The look at the text of a query before anything is planned: one SELECT, of a size that
//! neither parser nor planner can be overwhelmed with, over declared tables, with functions of
//! the list.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Statement, TableFactor, Value, ValueWithSpan, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::functions;
use crate::failure::Failed;

/// Bytes of a query.
const MOST_BYTES: usize = 64 << 10;
/// Operators and keywords of a query: no expression nests deeper, as `1 + 1 + 1 ...` does
/// without a parenthesis. Lists of literals hold none.
const MOST_OPERATORS: usize = 500;
/// Levels of parentheses and subqueries.
const MOST_LEVELS: usize = 50;
/// Tables named in a query, and read by it.
pub(super) const MOST_TABLES: usize = 16;
/// Bytes of a text in a query or given to it.
pub(super) const MOST_TEXT: usize = 1000;

/// Parses a query.
pub(super) fn parse(sql: &str, tables: &BTreeSet<&str>) -> Result<Statement, Failed> {
    if sql.len() > MOST_BYTES {
        return Err(too_large(format!("more than {MOST_BYTES} bytes")));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|e| Failed::contract("query_syntax", e.to_string()))?;
    if tokens.iter().filter(|token| nests(token)).count() > MOST_OPERATORS {
        return Err(too_large(format!("more than {MOST_OPERATORS} operators and keywords")));
    }
    let mut statements = Parser::new(&GenericDialect {})
        .with_recursion_limit(MOST_LEVELS)
        .with_tokens(tokens)
        .parse_statements()
        .map_err(|error| match error {
            ParserError::RecursionLimitExceeded => {
                too_large(format!("more than {MOST_LEVELS} levels"))
            }
            other => Failed::contract("query_syntax", other.to_string()),
        })?;
    let statement = match statements.pop() {
        Some(statement @ Statement::Query(_)) if statements.is_empty() => statement,
        _ => return Err(Failed::contract("query_statement", "a query is one SELECT")),
    };
    let mut look = Look::default();
    if let ControlFlow::Break(failed) = statement.visit(&mut look) {
        return Err(failed);
    }
    look.known(tables)?;
    Ok(statement)
}

fn too_large(what: String) -> Failed {
    Failed::limit("query_size", what)
}

/// Whether a token may make an expression deeper. Parentheses are counted by the parser.
fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::Number(..)
        | Token::SingleQuotedString(_) => false,
        _ => true,
    }
}

/// Names what a query names.
#[derive(Default)]
struct Look {
    named: Vec<String>,
    /// Names that the query gives to queries of its own.
    own: BTreeSet<String>,
}

impl Look {
    fn known(&self, tables: &BTreeSet<&str>) -> Result<(), Failed> {
        let mut named = self.named.iter();
        match named.find(|name| !self.own.contains(*name) && !tables.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(Failed::contract("query_table", format!("table {name} is not declared")))
            }
        }
    }
}

fn refused<T>(what: impl std::fmt::Display) -> ControlFlow<Failed, T> {
    ControlFlow::Break(Failed::contract("query_construct", format!("{what} is not allowed")))
}

impl Visitor for Look {
    type Break = Failed;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Failed> {
        if let Some(with) = &query.with {
            if with.recursive {
                return refused("WITH RECURSIVE");
            }
            self.own.extend(with.cte_tables.iter().map(|cte| cte.alias.name.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Failed> {
        let [name] = relation.0.as_slice() else {
            let message = format!("table {relation} is not declared");
            return ControlFlow::Break(Failed::contract("query_table", message));
        };
        let name = name.as_ident().map_or_else(|| name.to_string(), |name| name.value.clone());
        self.named.push(name);
        if self.named.len() > MOST_TABLES {
            return ControlFlow::Break(too_large(format!("more than {MOST_TABLES} tables")));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Failed> {
        match factor {
            TableFactor::Table {
                args: None,
                version: None,
                with_ordinality: false,
                json_path: None,
                sample: None,
                with_hints,
                partitions,
                index_hints,
                ..
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                ControlFlow::Continue(())
            }
            TableFactor::Derived { lateral: false, sample: None, .. }
            | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            other => refused(other),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Failed> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = function.name.to_string().to_lowercase();
        if functions::is_known(&name) {
            return ControlFlow::Continue(());
        }
        let message = format!("function {name} is not on the list of docs/queries.md");
        ControlFlow::Break(Failed::contract("query_function", message))
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Failed> {
        match &value.value {
            Value::SingleQuotedString(text) if text.len() > MOST_TEXT => {
                ControlFlow::Break(too_large(format!("a text has more than {MOST_TEXT} bytes")))
            }
            Value::Number(..)
            | Value::SingleQuotedString(_)
            | Value::Boolean(_)
            | Value::Null
            | Value::Placeholder(_) => ControlFlow::Continue(()),
            other => refused(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> Option<&'static str> {
        parse(sql, &BTreeSet::from(["visits", "labs"])).err().map(|failed| failed.code)
    }

    #[test]
    fn one_select_over_declared_tables_passes() {
        for sql in [
            "SELECT site, count(DISTINCT patient) FROM visits GROUP BY site;",
            "WITH first AS (SELECT patient, min(day) AS day FROM visits GROUP BY 1) \
             SELECT * FROM first f JOIN labs USING (patient) WHERE f.day > $1",
            "SELECT a FROM visits UNION ALL (SELECT b FROM labs) ORDER BY 1 LIMIT 3",
            "VALUES (1, 'a')",
        ] {
            assert_eq!(code(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_is_no_single_select_is_refused() {
        for sql in [
            "",
            "SELECT 1; SELECT 2",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT * FROM visits",
            "SET a = 1",
            "SHOW TABLES",
            "CREATE TABLE t AS SELECT 1",
            "COPY visits TO 'file.csv'",
            "DROP TABLE visits",
            "DELETE FROM visits",
            "UPDATE visits SET site = 1",
            "INSERT INTO visits VALUES (1)",
            "PREPARE p AS SELECT 1",
        ] {
            assert_eq!(code(sql), Some("query_statement"), "{sql}");
        }
        assert_eq!(code("SELEC 1"), Some("query_syntax"));
        assert_eq!(code("SELECT 'a"), Some("query_syntax"));
    }

    #[test]
    fn tables_are_the_declared_ones_and_nothing_like_one() {
        for sql in [
            "SELECT * FROM others",
            "SELECT * FROM information_schema.tables",
            "SELECT * FROM datafusion.public.visits",
            "SELECT * FROM 'file.parquet'",
        ] {
            assert_eq!(code(sql), Some("query_table"), "{sql}");
        }
        for sql in [
            "SELECT * FROM generate_series(1, 10)",
            "SELECT * FROM visits TABLESAMPLE BERNOULLI (10)",
            "SELECT * FROM visits, LATERAL (SELECT 1)",
            "SELECT * FROM UNNEST([1, 2])",
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        ] {
            assert_eq!(code(sql), Some("query_construct"), "{sql}");
        }
    }

    #[test]
    fn functions_outside_the_list_are_refused_wherever_they_stand() {
        for sql in [
            "SELECT random()",
            "SELECT now()",
            "SELECT current_date",
            "SELECT uuid()",
            "SELECT version()",
            "SELECT array_agg(site) FROM visits",
            "SELECT 1 FROM visits WHERE exp(weight) > 1",
            "SELECT rank() OVER (ORDER BY ln(weight)) FROM visits",
            "SELECT approx_distinct(site) FROM visits",
        ] {
            assert_eq!(code(sql), Some("query_function"), "{sql}");
        }
    }

    #[test]
    fn large_and_deep_queries_are_errors_and_no_crash() {
        let parentheses = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        let subqueries = format!("SELECT * FROM {}visits", "(SELECT * FROM ".repeat(2_000));
        for sql in [
            &parentheses,
            &subqueries,
            &format!("SELECT {}", "(".repeat(60_000)),
            &format!("SELECT 1{}", "+1".repeat(30_000)),
            &format!("SELECT {}1", "NOT ".repeat(10_000)),
            &format!("SELECT {}1", "- ".repeat(30_000)),
            &format!("SELECT 1{}", "::int".repeat(10_000)),
            &format!("SELECT abs({}1", "abs(".repeat(10_000)),
            &format!("SELECT 1{}", " UNION SELECT 1".repeat(4_000)),
            &format!("SELECT * FROM visits{}", ", visits".repeat(16)),
            &format!("SELECT 1 --{}", " ".repeat(70_000)),
            &format!("SELECT '{}'", "a".repeat(1_001)),
        ] {
            assert_eq!(code(sql), Some("query_size"), "{}", &sql[..60]);
        }
        let list = "'A00', ".repeat(8_000);
        assert_eq!(code(&format!("SELECT 1 FROM visits WHERE site IN ({list}'Z99')")), None);
    }
}
