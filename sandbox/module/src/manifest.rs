use std::collections::BTreeSet;

use crate::check;
use crate::error::{ManifestErrors, ParameterError};
use crate::parameters::{ParameterSpec, Value, bind};

mod regression;
mod totals;

pub use regression::{CoefficientScale, CoefficientsSpec};
pub use totals::{Ties, TotalKind, TotalSpec};

/// A validated `analysis.toml`. Positions in its lists are what crosses to the guest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Short name, lower-case with digits, `-` and `_`.
    pub name: String,
    /// Title shown to people.
    pub title: String,
    /// What the analysis does, for reviewers; may be empty.
    pub description: String,
    /// The contract the module implements.
    pub world: World,
    /// Tables and columns the guest is given; it never sees others.
    pub tables: Vec<TableInput>,
    /// Declared parameters.
    pub parameters: Vec<ParameterSpec>,
    /// Rounds world: the most rounds there may be; 0 in the others.
    pub rounds: u32,
    /// Rounds world: what patients contribute to; empty in the others.
    pub totals: Vec<TotalSpec>,
    /// Declared outputs; there can be no others.
    pub outputs: Vec<OutputSpec>,
}

impl Manifest {
    /// Reads and checks a manifest. Reports every error at once; syntax errors alone come
    /// one at a time.
    pub fn parse(text: &str) -> Result<Self, ManifestErrors> {
        check::parse(text)
    }

    /// Fits the parameters of one run to their declarations, in declared order, taking the
    /// default where none is given. Reports every error at once.
    pub fn bind(&self, given: &[(String, Value)]) -> Result<Vec<Value>, Vec<ParameterError>> {
        bind(&self.parameters, given)
    }

    /// The brought-in tables (持込み) in which columns are looked up.
    #[must_use]
    pub fn bring_ins(&self) -> BTreeSet<&str> {
        let columns = self.tables.iter().flat_map(|table| &table.columns);
        columns.filter_map(ColumnInput::lookup).map(|lookup| lookup.table).collect()
    }
}

/// Which contract a module implements (design §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// A function of one patient's records; the host aggregates.
    PerPatient,
    /// Reads batches and emits outputs itself.
    Cohort,
    /// A function of one patient's records and a state, and a reducer that makes the next state
    /// of the host's sums alone.
    Rounds,
}

impl World {
    /// Its name in WIT and in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PerPatient => "per-patient",
            Self::Cohort => "cohort",
            Self::Rounds => "rounds",
        }
    }

    /// Whether the guest is called for one patient at a time.
    #[must_use]
    pub fn by_patient(self) -> bool {
        matches!(self, Self::PerPatient | Self::Rounds)
    }
}

/// A table the guest is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInput {
    /// Name in the dataset's profile.
    pub name: String,
    /// Columns in the order the guest sees them.
    pub columns: Vec<ColumnInput>,
}

impl TableInput {
    /// Names of the columns that are read from the dataset: the declared ones, those looked up
    /// left out, then those by which is looked up. The guest does not see the latter.
    #[must_use]
    pub fn read(&self) -> Vec<&str> {
        let own = self.columns.iter().filter(|column| column.by.is_none());
        let mut read: Vec<&str> = own.map(|column| column.name.as_str()).collect();
        for by in self.columns.iter().filter_map(|column| column.by.as_deref()) {
            if !read.contains(&by) {
                read.push(by);
            }
        }
        read
    }
}

/// A column the guest is given: one of the dataset, or one looked up in a brought-in table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInput {
    /// Name in the dataset's profile; `table.column` of a brought-in table when looked up.
    pub name: String,
    /// The column of the dataset whose code is looked up, row by row.
    pub by: Option<String>,
    /// Kind as in the profile or the brought-in table; the run fails when they differ.
    pub kind: ColumnKind,
    /// By patient: the codes the analysis cares about, in the order of the positions
    /// it sees. Empty in the cohort world.
    pub codes: Vec<String>,
}

impl ColumnInput {
    /// What is looked up, if it is no column of the dataset itself.
    #[must_use]
    pub fn lookup(&self) -> Option<Lookup<'_>> {
        let by = self.by.as_deref()?;
        let (table, column) = self.name.split_once('.')?;
        Some(Lookup { table, column, by })
    }
}

/// A column that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// The brought-in table.
    pub table: &'a str,
    /// Its column.
    pub column: &'a str,
    /// The column of the dataset whose code is looked up.
    pub by: &'a str,
}

/// Kinds of dataset columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A number for the patient that means nothing outside the run; cohort world only.
    Patient,
    /// Categorical code.
    Code,
    /// Whole number.
    Int,
    /// Real number.
    Float,
    /// Days since 1970-01-01.
    Date,
}

impl ColumnKind {
    /// Its name in manifests and profiles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Code => "code",
            Self::Int => "int",
            Self::Float => "float",
            Self::Date => "date",
        }
    }
}

/// A declared output.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSpec {
    /// Unique name.
    pub name: String,
    /// Title shown to reviewers.
    pub title: String,
    /// What it holds and who makes it.
    pub body: OutputBody,
}

/// What an output holds.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputBody {
    /// Per-patient world: made by the host from contributions.
    Aggregate(Aggregate),
    /// Cohort and rounds worlds: a table the guest emits.
    Table(TableSpec),
    /// Cohort world: a histogram the guest emits.
    Histogram(HistogramSpec),
    /// Cohort world: numbers of patients over time of which the host estimates survival.
    Survival(SurvivalSpec),
    /// Cohort and rounds worlds: a regression whose estimates the guest emits.
    Coefficients(CoefficientsSpec),
    /// Cohort and rounds worlds: a short remark.
    Text,
}

/// How the host aggregates contributions.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The aggregation.
    pub kind: AggregateKind,
    /// Grouping keys with finite domains; the stratum, if there is one, is the last.
    pub keys: Vec<KeySpec>,
    /// The last key is a stratum: of a contingency table, or of the comparison of survival.
    pub stratified: bool,
    /// Most contributions one patient may make to this output; at least 1.
    pub max_contributions: u32,
    /// What a patient contributes whose call failed; nothing when unset.
    pub default: Option<Contributed>,
    /// Withhold every row with at least one but fewer than the minimum cell of patients.
    pub suppress_small: bool,
}

impl Aggregate {
    /// Number of cells: the product of the key domains, 1 without keys.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.keys.iter().map(|k| k.labels().len()).product()
    }

    /// Number of values a contribution carries.
    #[must_use]
    pub fn arity(&self) -> usize {
        match self.kind {
            AggregateKind::Count | AggregateKind::Contingency => 0,
            AggregateKind::Sum { .. }
            | AggregateKind::Histogram { .. }
            | AggregateKind::Quantile { .. } => 1,
            AggregateKind::Survival { .. } => 2,
        }
    }
}

/// One contribution to one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributed {
    /// Positions of labels, one per key.
    pub keys: Vec<u32>,
    /// Values, as many as [`Aggregate::arity`].
    pub values: Vec<f64>,
}

/// The aggregations of the per-patient world.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateKind {
    /// Distinct patients.
    Count,
    /// Distinct patients, sum, mean and standard deviation of a value clamped to a range.
    Sum {
        /// Unit of the value; may be empty.
        unit: String,
        /// Least value; smaller ones are raised to it.
        low: f64,
        /// Greatest value; larger ones are lowered to it.
        high: f64,
    },
    /// Distinct patients in half-open bins.
    Histogram {
        /// Unit of the value; may be empty.
        unit: String,
        /// Increasing edges, at least two.
        edges: Vec<f64>,
    },
    /// Quantiles of a value clamped to a range, each the mean over the patients nearest in rank.
    Quantile {
        /// Unit of the value; may be empty.
        unit: String,
        /// Least value; smaller ones are raised to it.
        low: f64,
        /// Greatest value; larger ones are lowered to it.
        high: f64,
        /// Rising probabilities, in thousandths.
        thousandths: Vec<u32>,
    },
    /// Distinct patients by two keys, and how far these go together.
    Contingency,
    /// Kaplan-Meier estimate or, with causes, cumulative incidence.
    Survival {
        /// Unit of time.
        time_unit: String,
        /// Labels of competing events; empty when there is one kind of event.
        causes: Vec<String>,
        /// Compare the groups by the log-rank test.
        compare: bool,
    },
}

impl AggregateKind {
    /// Greatest value that stands for an event; 0 stands for the end of follow-up without one.
    #[must_use]
    pub fn events(&self) -> u32 {
        match self {
            Self::Survival { causes, .. } => u32::try_from(causes.len().max(1)).unwrap_or(1),
            _ => 0,
        }
    }
}

/// A grouping key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Name shown as a column title.
    pub name: String,
    /// Its finite domain.
    pub domain: KeyDomain,
}

impl KeySpec {
    /// The declared labels; empty when the domain is a dictionary.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        match &self.domain {
            KeyDomain::Labels(labels) => labels,
            KeyDomain::CodesOf { .. } => &[],
        }
    }
}

/// The values a key may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyDomain {
    /// Labels written in the manifest.
    Labels(Vec<String>),
    /// Cohort world: the dictionary of a declared column of codes.
    CodesOf {
        /// Position of the table.
        table: usize,
        /// Position of the column in it.
        column: usize,
    },
}

/// A table a cohort guest emits.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// Its columns.
    pub columns: Vec<TableColumnSpec>,
}

/// One column of an emitted table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumnSpec {
    /// Column title.
    pub name: String,
    /// Unit; may be empty.
    pub unit: String,
    /// How disclosure rules read it.
    pub role: TableRole,
}

/// Role of a column of an emitted table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableRole {
    /// Grouping key with its domain.
    Key(KeyDomain),
    /// Number of distinct patients.
    PatientCount,
    /// Any other count.
    Count,
    /// Statistic over the row's patients.
    Statistic,
}

/// A histogram a cohort guest emits.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSpec {
    /// Unit of the value; may be empty.
    pub unit: String,
    /// Increasing edges, at least two.
    pub edges: Vec<f64>,
    /// Keys of its series.
    pub keys: Vec<KeySpec>,
}

/// Survival of which a cohort guest gives the numbers at each time.
#[derive(Clone, Debug, PartialEq)]
pub struct SurvivalSpec {
    /// Unit of time.
    pub time_unit: String,
    /// Keys of its groups.
    pub keys: Vec<KeySpec>,
}
