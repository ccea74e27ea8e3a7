//! Stopped by: the memory limit.

sekisho_analysis::analysis!("analysis.toml");

fn run(_: &View, _: &Parameters, _: &mut Outputs) -> Result<(), String> {
    let mut held = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}
