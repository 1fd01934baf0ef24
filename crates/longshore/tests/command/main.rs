//! Command jobs with real processes. The test binary is also the supervisor, and the worker that is killed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests of a harness of their own are not seen as tests")]

mod bench;
mod ending;
mod example;
mod outcome;
mod output;
mod poison;
mod processes;
mod run;
mod signals;
mod worked;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test that is named by its sentence.
macro_rules! trials {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || { $module::$name(); Ok(()) })),*]
    };
}

fn main() -> ExitCode {
    longshore::command::supervise_if_asked();
    match std::env::args().nth(1).as_deref() {
        Some(run::WORK_UNTIL_KILLED) => run::work_until_killed(),
        Some(signals::WORK_UNTIL_SIGNAL) => signals::work_until_signal(),
        Some(poison::WORK_OR_ABORT) => poison::work_or_abort(),
        Some(bench::MEASURE) => bench::measure(),
        _ => {}
    }
    libtest_mimic::run(&Arguments::from_args(), all()).exit_code()
}

fn all() -> Vec<Trial> {
    let mut trials = trials![
        outcome::exit_statuses_become_failure_types,
        outcome::a_program_that_cannot_be_started_says_why,
        outcome::the_last_line_of_standard_error_is_the_message_and_the_whole_the_traceback,
        outcome::what_the_program_said_goes_before_its_status,
        outcome::an_unknown_failure_type_is_taken_as_unknown_with_a_note,
        outcome::a_kill_from_elsewhere_is_a_want_of_resources,
        outcome::a_result_is_kept_as_it_was_written,
        outcome::a_result_beyond_the_limit_is_a_validation_error,
        outcome::a_result_that_is_no_unicode_is_a_validation_error,
        outcome::a_snooze_defers_the_job,
        outcome::a_rate_limit_defers_the_job_whatever_the_status,
        outcome::a_rate_limit_is_at_least_a_second,
        outcome::a_message_that_cannot_be_read_fails_the_attempt,
        outcome::a_failure_of_its_own_goes_before_a_message_that_cannot_be_read,
        outcome::news_that_cannot_be_read_are_left_out_with_a_note,
        outcome::a_request_for_later_counts_although_another_message_cannot_be_read,
        outcome::an_unknown_message_stays_in_the_log_with_a_note,
        outcome::a_log_message_is_a_line_of_the_log,
        outcome::progress_is_passed_on,
        outcome::the_last_checkpoint_is_stored_and_the_next_attempt_gets_it,
        outcome::a_checkpoint_of_the_largest_size_reaches_the_next_attempt,
        outcome::a_checkpoint_beyond_the_limit_is_left_out_with_a_note,
        worked::a_program_that_died_continues_from_its_checkpoint,
        output::the_payload_is_on_standard_input_and_ends,
        output::a_program_need_not_read_its_payload,
        output::the_environment_tells_of_the_job,
        output::both_outputs_are_the_log,
        output::what_is_not_a_message_is_an_ordinary_line,
        output::bytes_that_are_no_text_are_replaced,
        output::a_flood_of_output_is_held_in_bounded_memory,
        output::a_line_without_end_is_held_in_bounded_memory,
        output::an_unfinished_line_shows_in_the_log_before_it_ends,
        poison::a_handler_that_aborts_is_given_up_alone,
        poison::a_handler_that_aborts_and_may_crash_once_is_given_up_alone,
        poison::two_workers_of_one_process_do_not_blame_each_others_jobs,
        poison::workers_with_one_slot_each_in_one_process_do_not_blame_each_others_jobs,
        example::a_library_with_difficult_names_gets_a_manifest_that_sha256sum_accepts,
        example::a_report_names_what_did_not_complete_and_leaves_other_scans_out,
        example::each_failing_job_fails_as_its_readme_says,
    ];
    if cfg!(target_os = "linux") {
        trials.extend(trials![
            ending::a_cancelled_command_ends_at_once,
            ending::a_program_that_ignores_sigterm_is_killed_after_the_grace,
            ending::a_program_may_clean_up_within_the_grace,
            ending::a_program_that_finishes_within_the_grace_has_completed,
            ending::sigterm_comes_once,
            ending::a_stopped_program_is_ended_too,
            ending::children_in_the_group_end_with_the_command,
            ending::children_in_sessions_of_their_own_end_with_the_command,
            ending::a_daemon_that_forked_twice_ends_with_the_command,
            ending::a_background_child_that_holds_the_output_does_not_hold_the_attempt,
            ending::a_pipeline_may_finish_writing_after_its_shell,
            ending::orphans_are_buried_while_the_command_runs,
            ending::a_stop_that_came_before_the_start_is_obeyed,
            ending::a_dropped_attempt_leaves_nobody,
            ending::a_worker_that_was_killed_leaves_nobody,
            ending::a_supervisor_that_was_killed_leaves_nobody,
            ending::a_supervisor_ignores_polite_signals,
            ending::a_daemon_that_moves_on_all_the_time_is_caught,
            ending::many_commands_at_once_leave_nobody,
            signals::a_worker_that_gets_a_signal_lets_its_job_finish_and_begins_no_other,
            signals::a_worker_that_gets_a_signal_gives_back_what_does_not_end_within_the_grace,
            signals::a_second_signal_to_a_worker_ends_it_at_once,
            signals::a_program_that_waits_at_a_shutdown_may_finish_undisturbed,
            signals::a_closed_terminal_that_sends_its_signal_twice_is_one_request,
            signals::a_closed_terminal_and_another_signal_are_two_requests,
            signals::a_worker_under_nohup_does_not_hear_of_a_closed_terminal,
            worked::a_middleware_surrounds_a_command,
            worked::a_cancelled_job_leaves_nobody,
            worked::a_job_that_reached_its_time_limit_leaves_nobody,
            worked::a_shutdown_gives_the_job_back_and_leaves_nobody,
            worked::a_job_that_finishes_during_a_shutdown_is_completed,
            worked::a_job_that_finishes_after_its_time_limit_is_completed,
            worked::a_second_signal_does_not_wait_for_the_grace,
            worked::a_program_that_waits_is_told_when_the_grace_is_nearly_over,
            worked::a_program_that_waits_and_does_not_listen_is_killed_at_the_end_of_the_grace,
            worked::the_grace_of_a_type_is_what_lies_between_its_signals_at_a_shutdown,
            worked::a_program_that_fails_by_itself_while_it_waits_has_failed,
            worked::a_program_that_waits_can_still_be_cancelled,
            worked::a_program_that_waits_still_has_its_time_limit,
            worked::a_second_signal_ends_a_program_that_waits,
            worked::the_last_progress_and_the_last_line_of_a_program_are_kept,
        ]);
    }
    trials
}
