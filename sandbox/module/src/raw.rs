//! The file as written. Every section collects keys it does not know, so that all of them
//! are reported at once instead of one per attempt.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

pub(crate) type Unknown = BTreeMap<String, Value>;

#[derive(Deserialize)]
pub(crate) struct RawManifest {
    pub(crate) name: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) world: String,
    #[serde(default)]
    pub(crate) tables: Vec<RawTable>,
    #[serde(default)]
    pub(crate) parameters: Vec<RawParameter>,
    pub(crate) rounds: Option<u32>,
    #[serde(default)]
    pub(crate) totals: Vec<RawTotal>,
    #[serde(default)]
    pub(crate) outputs: Vec<RawOutput>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawTable {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) columns: Vec<RawColumn>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) codes: Vec<String>,
    pub(crate) by: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawParameter {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    #[serde(default)]
    pub(crate) choices: Vec<String>,
    pub(crate) default: Option<Value>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawTotal {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) length: Option<usize>,
    pub(crate) covariates: Option<usize>,
    pub(crate) ties: Option<String>,
    pub(crate) clamp: Option<[f64; 2]>,
    pub(crate) keys: Option<Vec<RawKey>>,
    pub(crate) max_contributions: Option<u32>,
    pub(crate) default: Option<RawDefault>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawOutput {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) clamp: Option<[f64; 2]>,
    pub(crate) edges: Option<Vec<f64>>,
    pub(crate) keys: Option<Vec<RawKey>>,
    pub(crate) columns: Option<Vec<RawTableColumn>>,
    pub(crate) max_contributions: Option<u32>,
    pub(crate) default: Option<RawDefault>,
    pub(crate) suppress_small: Option<bool>,
    pub(crate) probabilities: Option<Vec<f64>>,
    pub(crate) stratum: Option<RawKey>,
    pub(crate) compare: Option<bool>,
    pub(crate) causes: Option<Vec<String>>,
    pub(crate) model: Option<String>,
    pub(crate) scale: Option<String>,
    pub(crate) terms: Option<Vec<String>>,
    pub(crate) of: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawKey {
    pub(crate) name: String,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) codes_of: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawTableColumn {
    pub(crate) name: String,
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) unit: String,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) codes_of: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Deserialize)]
pub(crate) struct RawDefault {
    #[serde(default)]
    pub(crate) keys: Vec<u32>,
    #[serde(default)]
    pub(crate) values: Vec<f64>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}
