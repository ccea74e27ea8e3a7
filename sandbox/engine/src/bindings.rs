//! Host side of `sandbox/wit`, with static types: no value is converted dynamically.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "generated; the documentation is in analysis.wit"
)]

pub(crate) mod per_patient {
    wasmtime::component::bindgen!({ path: "../wit", world: "per-patient" });
}

pub(crate) mod rounds {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "rounds",
        with: { "sekisho:analysis/types": crate::bindings::per_patient::sekisho::analysis::types },
    });
}

pub(crate) mod cohort {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "cohort",
        imports: { default: trappable },
        with: {
            "sekisho:analysis/types": crate::bindings::per_patient::sekisho::analysis::types,
            "sekisho:analysis/data.reader": crate::cohort::Reader,
            "sekisho:analysis/data.query": crate::cohort::Query,
        },
    });
}

pub(crate) use per_patient::sekisho::analysis::types;
