//! The least an analysis can do: what a run costs besides the analysis.

sekisho_analysis::analysis!("analysis.toml");

fn contribute(_: &Patient, _: &Parameters, out: &mut Outputs) {
    out.patients();
}
