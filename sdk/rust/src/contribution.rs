/// What one patient adds to one cell of one output; made by the methods of `Outputs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Position of the output in the manifest.
    pub output: u32,
    /// Positions of the labels, one per declared key.
    pub keys: Vec<u32>,
    /// Values as the output's kind takes them.
    pub values: Vec<f64>,
}
