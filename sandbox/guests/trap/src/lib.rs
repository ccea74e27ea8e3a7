//! Stopped by: its own trap.

sekisho_analysis::analysis!("analysis.toml");

fn run(_: &View, _: &Parameters, _: &mut Outputs) -> Result<(), String> {
    panic!("on purpose");
}
