//! What every kind of key vault does, as one suite that runs for each of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "vaults/behaviour.rs"]
mod behaviour;
#[path = "vaults/places.rs"]
mod places;
#[path = "vaults/token.rs"]
mod token;

/// Runs every behaviour against one kind of vault, in a module of its own.
macro_rules! suite {
    ($kind:ident, $place:ty: $($behaviour:ident),+ $(,)?) => {
        mod $kind {
            $(
                #[test]
                fn $behaviour() {
                    let name = concat!(stringify!($kind), "::", stringify!($behaviour));
                    <$place as crate::places::Place>::run(name, crate::behaviour::$behaviour);
                }
            )+
        }
    };
}

macro_rules! every_behaviour {
    ($kind:ident, $place:ty) => {
        suite!(
            $kind, $place:
            cr_1_a_wrapped_key_opens_after_a_restart_and_in_no_other_vault,
            cr_1_another_context_is_refused,
            cr_1_any_flipped_bit_is_refused,
            cr_1_any_cut_or_lengthened_key_is_refused,
            the_same_key_never_wraps_to_the_same_bytes,
            rotation_keeps_what_was_wrapped_readable,
            a_rewrapped_key_needs_no_older_generation,
            an_unknown_generation_is_named,
            a_worn_out_generation_wraps_no_more_and_still_unwraps,
            a_generation_past_its_period_wraps_no_more_and_still_unwraps,
            a_generation_without_a_record_wraps_no_more_and_still_unwraps,
            every_use_is_counted_before_it_happens,
            threads_share_a_vault,
            a_second_vault_in_the_same_place_is_refused,
        );
    };
}

every_behaviour!(file, crate::places::Folder);
every_behaviour!(pkcs11, crate::places::SoftToken);
