//! Stopped by: the stack limit.

sekisho_analysis::analysis!("analysis.toml");

fn run(_: &View, _: &Parameters, _: &mut Outputs) -> Result<(), String> {
    match deeper(1) {
        0 => Err("cannot be".to_owned()),
        _ => Ok(()),
    }
}

/// Odd for odd numbers, so that no compiler turns it into a loop.
#[allow(unconditional_recursion)]
fn deeper(level: u64) -> u64 {
    let below = std::hint::black_box(deeper(std::hint::black_box(level + 2)));
    below.wrapping_mul(level) | 1
}
