//! Behaves for patients of the east and, as the parameter says, misbehaves for those of the
//! west. Stopped by: the host's treatment of one patient's call, which never ends the run.

use std::sync::atomic::{AtomicU32, Ordering};

use sekisho_analysis::Contribution;

sekisho_analysis::analysis!("analysis.toml");

const WEST: u32 = 1;
static SEEN: AtomicU32 = AtomicU32::new(0);

fn contribute(patient: &Patient, parameters: &Parameters, out: &mut Outputs) {
    let Some(site) = patient.visits.iter().find_map(|row| row.site) else { return };
    let weight = patient.visits.iter().find_map(|row| row.weight);
    if site != WEST {
        out.by_site(site);
        out.weight(weight.unwrap_or(f64::NAN));
        return;
    }
    let broken = |output, keys: &[u32], values: &[f64]| Contribution {
        output,
        keys: keys.to_vec(),
        values: values.to_vec(),
    };
    match parameters.behaviour.as_str() {
        "infinite_loop" => loop {
            std::hint::black_box(());
        },
        "memory_bomb" => loop {
            std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
        },
        "deep_recursion" => out.weight(deeper(1) as f64),
        "trap" => panic!("on purpose"),
        "unknown_output" => out.contributions.push(broken(9, &[], &[])),
        "unknown_key" => out.by_site(2),
        "missing_key" => out.contributions.push(broken(0, &[], &[])),
        "extra_value" => out.contributions.push(broken(1, &[], &[1.0, 2.0])),
        "too_many" => (0..2).for_each(|site| out.by_site(site)),
        "huge_answer" => out.contributions = vec![broken(0, &[0], &[]); 100_000],
        "outside_range" => out.weight(1e9),
        "not_a_number" => out.weight(f64::NAN),
        // Would grow from patient to patient if an instance outlived its patient.
        "remember" => out.weight(f64::from(SEEN.fetch_add(1, Ordering::Relaxed))),
        _ => out.by_site(site),
    }
}

/// Odd for odd numbers, so that no compiler turns it into a loop.
#[allow(unconditional_recursion)]
fn deeper(level: u64) -> u64 {
    let below = std::hint::black_box(deeper(std::hint::black_box(level + 2)));
    below.wrapping_mul(level) | 1
}
