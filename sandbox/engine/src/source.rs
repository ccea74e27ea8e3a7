use arrow::record_batch::RecordBatch;
use sekisho_module::ColumnKind;

/// One pass over the rows of a bucket.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, SourceError>> + Send>;

/// An opened dataset version with the granted keys: all the engine ever reads.
///
/// All tables are split into the same number of buckets by patient; inside a bucket rows are
/// sorted by patient token, so that one patient's records meet by a merge.
pub trait Source: Send + Sync {
    /// Number of buckets, the same for every table.
    fn buckets(&self) -> u32;

    /// The granted columns of a table, in the profile's order and without the patient column;
    /// `None` when the table is not in the view.
    fn columns(&self, table: &str) -> Option<Vec<SourceColumn>>;

    /// Rows of a table over all buckets, before any row filter.
    fn rows(&self, table: &str) -> Result<u64, SourceError>;

    /// The sorted distinct codes of a granted column of codes.
    fn dictionary(&self, table: &str, column: &str) -> Result<Vec<String>, SourceError>;

    /// Reads a bucket. Batches hold the patient token first (`UInt64`, never null), then
    /// `columns` in the order asked for: code as `UInt32` ids, int `Int64`, float `Float64`,
    /// date `Date32`; sorted by token.
    fn scan(&self, table: &str, bucket: u32, columns: &[String]) -> Result<Batches, SourceError>;
}

/// A granted column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceColumn {
    /// Name in the profile.
    pub name: String,
    /// Kind in the profile; never `Patient`.
    pub kind: ColumnKind,
    /// Whether its codes stand for identifiers (the profile's rule `token`): a guest sees codes
    /// of the project's own in their place.
    pub token: bool,
}

/// Reading the view failed. The text is for the log of the pseudonymised zone and never
/// holds values of the data.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A table or column outside the view was asked for.
    #[error("{0} is not in the view")]
    NotGranted(String),
    /// The sealed data could not be read or opened.
    #[error("the dataset could not be read: {0}")]
    Unreadable(String),
}
