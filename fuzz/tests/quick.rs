//! Every target on its seeds and on some thousand inputs made of them, the same in every run.
//! No coverage guides them: that is `make fuzz`.

#![allow(clippy::unwrap_used, reason = "a test")]

use sekisho_fuzz::lot::changed;
use sekisho_fuzz::{TARGETS, Target};
use sekisho_hostile::Lot;

fn driven(name: &str, inputs: usize) {
    let Target { run, seeds, .. } = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut known = seeds();
    known.iter().for_each(|seed| run(seed));
    let mut lot = Lot(20_261_128);
    for round in 0..inputs {
        let input = changed(&mut lot, &known);
        run(&input);
        // Some changes build on earlier ones.
        if round % 16 == 0 && input.len() < 8192 {
            if known.len() >= 256 {
                known.swap_remove(lot.below(256));
            }
            known.push(input);
        }
    }
}

#[test]
fn any_manifest_is_refused_or_valid() {
    driven("manifest", 4000);
}

#[test]
fn any_ticket_is_refused_unless_the_gateway_signed_it() {
    driven("ticket", 3000);
}

#[test]
fn any_sealed_file_gives_its_own_rows_or_none() {
    driven("sealed_file", 3000);
}

#[test]
fn any_output_is_decoded_and_weighed() {
    driven("output", 10_000);
}
