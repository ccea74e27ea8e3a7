//! The functions a guest's SQL may use, and the session that knows no others. Left out is what
//! is not the same everywhere and always (time, chance, versions, and what the C library
//! rounds: powers, logarithms, angles), what makes texts or lists grow, and what estimates.

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::sums;

const SCALAR: [&str; 22] = [
    "abs",
    "ceil",
    "character_length",
    "coalesce",
    "date_part",
    "date_trunc",
    "floor",
    "greatest",
    "isnan",
    "iszero",
    "least",
    "left",
    "make_date",
    "nullif",
    "nvl",
    "right",
    "round",
    "signum",
    "sqrt",
    "strpos",
    "substr",
    "trunc",
];
const AGGREGATE: [&str; 10] = [
    "bool_and",
    "bool_or",
    "count",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "median",
    "min",
    "percentile_cont",
];
const WINDOW: [&str; 11] = [
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];
/// Aggregates that a window moves along with; the others would read it anew for every row.
const MOVING: [&str; 9] =
    ["avg", "count", "max", "min", "stddev", "stddev_pop", "sum", "var", "var_pop"];
/// Other names of functions of the list.
const ALIASES: [&str; 13] = [
    "char_length",
    "datepart",
    "datetrunc",
    "ifnull",
    "instr",
    "length",
    "mean",
    "position",
    "stddev_samp",
    "substring",
    "var_samp",
    "var_sample",
    "variance",
];
/// Functions of our own.
const SUMS: [&str; 6] = ["avg", "stddev", "stddev_pop", "sum", "var", "var_pop"];

/// Whether a query may name it.
pub(super) fn is_known(name: &str) -> bool {
    is_scalar(name) || is_aggregate(name) || WINDOW.contains(&name) || ALIASES.contains(&name)
}

pub(super) fn is_scalar(name: &str) -> bool {
    SCALAR.contains(&name)
}

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATE.contains(&name) || SUMS.contains(&name)
}

/// Whether a window function may be it.
pub(super) fn is_window(name: &str) -> bool {
    WINDOW.contains(&name)
}

/// Whether an aggregate may stand over a window.
pub(super) fn moves(name: &str) -> bool {
    MOVING.contains(&name)
}

/// A session without tables, of one partition: nothing of it hangs on how work was split.
pub(super) fn session(runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_round_robin_repartition(false)
        .with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.enable_recursive_ctes = false;
    // What is read must not hang on what was found so far.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let mut scalar = SessionStateDefaults::default_scalar_functions();
    scalar.retain(|function| SCALAR.contains(&function.name()));
    let mut aggregate = SessionStateDefaults::default_aggregate_functions();
    aggregate.retain(|function| AGGREGATE.contains(&function.name()));
    aggregate.extend(sums::functions());
    let mut window = SessionStateDefaults::default_window_functions();
    window.retain(|function| WINDOW.contains(&function.name()));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(scalar)
        .with_aggregate_functions(aggregate)
        .with_window_functions(window)
        .build();
    SessionContext::new_with_state(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_list_is_there_and_no_other() {
        let state = session(Arc::default()).state();
        for name in SCALAR {
            assert!(state.scalar_functions().contains_key(name), "{name}");
        }
        for name in AGGREGATE.iter().chain(&SUMS) {
            assert!(state.aggregate_functions().contains_key(*name), "{name}");
        }
        for name in WINDOW {
            assert!(state.window_functions().contains_key(name), "{name}");
        }
        assert!(MOVING.iter().all(|name| is_aggregate(name)));
        let names = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let names: Vec<_> = names.chain(state.window_functions().keys()).collect();
        for alias in ALIASES {
            assert!(names.iter().any(|name| *name == alias), "{alias}");
        }
        let own = state.scalar_functions().values().map(|f| f.name());
        let own = own.chain(state.aggregate_functions().values().map(|f| f.name()));
        for name in own.chain(state.window_functions().values().map(|f| f.name())) {
            assert!(is_known(name), "{name}");
        }
    }
}
