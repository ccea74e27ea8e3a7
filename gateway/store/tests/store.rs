//! The store's tests: the same cases on SQLite and on PostgreSQL. Start with the list of
//! cases below, then `suite/site.rs`, which holds what they stand on.
//!
//! On SQLite every case is a test of its own. On PostgreSQL one test runs them all, each
//! in a database of its own, because a server costs more to start than the cases take.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything here is a test"
)]

mod suite;

use std::time::Instant;

use futures::future::BoxFuture;
use suite::{cluster::Cluster, site::Site};

type Case = for<'s> fn(&'s mut Site) -> BoxFuture<'s, ()>;

macro_rules! cases {
    (
        both { $($module:ident { $($case:ident,)* })* }
        postgres { $($only_module:ident { $($only:ident,)* })* }
    ) => {
        mod sqlite {$(
            mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let mut site = crate::suite::site::Site::on_sqlite().await;
                    crate::suite::$module::$case(&mut site).await;
                    site.verify().await;
                }
            )*}
        )*}

        const POSTGRES: &[(&str, Case)] = &[
            $($((
                concat!(stringify!($module), "::", stringify!($case)),
                |site| Box::pin(suite::$module::$case(site)),
            ),)*)*
            $($((
                concat!(stringify!($only_module), "::", stringify!($only)),
                |site| Box::pin(suite::$only_module::$only(site)),
            ),)*)*
        ];
    };
}

cases! {
    both {
        people {
            a_site_is_founded_once,
            au_2_a_first_factor_belongs_to_one_person,
            an_invitation_is_spent_once,
            au_2_same_credential_on_two_persons_is_refused,
            au_2_of_two_answers_with_one_counter_one_counts,
            au_2_removal_ends_sessions_and_invitations_at_once,
            au_2_nothing_decided_before_a_removal_happens_after_it,
            au_2_somebody_removed_while_logging_in_gets_no_session,
            lg_3_an_alert_cuts_access_in_its_own_transaction,
            a_session_is_ended_by_its_holder_or_the_watch,
        }
        catalogue {
            a_dataset_version_never_changes,
            ct_1_a_late_dataset_is_noted_once_until_a_newer_version_is_there,
            an_agreement_opens_its_project_to_its_handlers,
            a_module_is_decided_once,
            listings_page_through_everything_once,
        }
        runs {
            a_run_is_started_once_per_request,
            a_run_that_cannot_be_read_holds_up_no_other,
            sv_4_runs_above_the_agreed_rate_are_refused,
            sv_4_no_more_runs_on_a_day_in_japan_than_agreed,
            sv_4_of_many_at_once_no_more_than_the_day_allows_get_through,
            a_run_is_leased_to_exactly_one_worker,
            each_project_has_an_order_of_patients_of_its_own,
            a_lost_lease_changes_nothing,
            expired_leases_queue_again_and_then_fail,
            failures_of_the_environment_are_tried_again,
            ag_6_what_waited_beyond_the_period_is_not_run,
            au_2_what_waited_beyond_a_removal_is_not_run,
            au_2_a_run_under_way_ends_when_its_requester_leaves,
            ag_2_a_run_that_is_not_permitted_holds_up_no_other,
            a_cancel_and_a_completion_leave_one_final_state,
        }
        reviews {
            ou_1_two_blind_votes_decide,
            ou_1_outputs_are_released_exactly_once,
            ou_1_a_returned_request_is_answered_with_a_mended_run,
            ou_1_nobody_reads_after_their_session_was_cut,
            lg_2_a_release_carries_a_proof_that_verifies,
        }
        closing {
            sv_3_after_close_out_no_key_is_left_in_any_file,
            sv_3_closing_ends_what_was_under_way,
            sv_3_nothing_is_added_to_a_closed_project,
            sv_3_the_erasure_record_is_proved_by_the_log,
            sv_3_an_erasure_that_was_cut_off_is_finished_later,
            sv_3_an_erasure_that_cannot_be_finished_holds_up_no_other,
            ag_6_a_project_is_closed_after_its_period,
            ag_6_a_project_that_cannot_be_read_holds_up_no_other,
        }
        reidentifications {
            ri_2_another_person_confirms_that_very_order_in_time,
            ri_2_an_order_that_nobody_confirms_in_time_is_over,
            sv_3_closing_a_project_refuses_its_orders,
            sv_3_closing_a_project_erases_sealed_tokens,
            sv_3_an_order_that_cannot_be_read_holds_up_nobody,
            ri_2_an_order_whose_run_cannot_be_read_is_refused_and_holds_up_no_other,
            lk_3_a_trace_ends_when_its_rule_is_closed,
            ri_2_a_confirmed_order_is_traced_once_and_given_up_in_the_end,
            ri_2_a_trace_whose_lease_ran_out_is_handed_out_again,
        }
        bring_ins {
            ag_5_a_table_is_decided_once_and_takes_its_name,
            ag_5_a_table_counts_in_its_own_project_only,
            ag_5_a_lease_carries_exactly_the_tables_of_its_run,
            ag_5_a_withdrawn_table_ends_the_runs_tied_to_it,
            lg_1_a_review_reads_a_table_only_on_record,
            sv_3_closing_a_project_erases_its_tables,
        }
        keys {
            cr_1_a_rotation_wraps_every_projects_key_anew,
        }
        log {
            lg_1_appends_get_consecutive_indexes,
            lg_1_a_failing_change_leaves_no_entry_and_takes_nothing_with_it,
            lg_1_what_cannot_be_recorded_does_not_happen,
            lg_2_a_log_is_rebuilt_when_opened_again,
            lg_2_a_tampered_log_is_not_opened,
            lg_2_a_log_that_shrank_meanwhile_is_not_written,
            lg_1_an_export_is_whole_and_recorded,
            one_log_has_one_writer,
            cr_1_nothing_brought_in_or_taken_out_is_stored_in_plaintext,
        }
    }
    postgres {
        closing {
            sv_3_an_erasure_waits_for_whoever_still_sees_the_keys,
        }
        connection {
            a_lost_connection_is_taken_up_again,
            a_commit_whose_answer_was_lost_is_found_again,
            a_commit_that_was_cut_off_did_not_happen,
            lg_1_nothing_is_permitted_while_the_database_is_away,
            a_writer_that_lost_its_seat_writes_nothing,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_passes_every_case() {
    let cluster = Cluster::start().await;
    let mut failed = Vec::new();
    for (name, case) in POSTGRES {
        let started = Instant::now();
        let mut site = Site::on_postgres(&cluster, name).await;
        let outcome = tokio::spawn(async move {
            case(&mut site).await;
            site.verify().await;
        })
        .await;
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        eprintln!("postgres::{name} ... {word} ({} ms)", started.elapsed().as_millis());
        if outcome.is_err() {
            failed.push(name);
        }
    }
    drop(cluster);
    assert!(failed.is_empty(), "failed on PostgreSQL: {failed:?}");
}
