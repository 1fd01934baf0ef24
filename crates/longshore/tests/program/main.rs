//! Programs that stay, with real processes. The test binary is also the supervisor, and the worker that is killed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests of a harness of their own are not seen as tests")]

mod bench;
mod closed;
mod death;
mod helper;
mod jobs;
#[path = "../command/processes.rs"]
#[allow(dead_code, reason = "the tests of commands use all of it")]
mod processes;
mod replaced;
mod stopped;
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
        Some(stopped::WORK_UNTIL_KILLED) => stopped::work_until_killed(),
        Some(bench::MEASURE) => bench::measure(),
        _ => {}
    }
    libtest_mimic::run(&Arguments::from_args(), all()).exit_code()
}

fn all() -> Vec<Trial> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    trials![
        jobs::one_program_runs_job_after_job,
        jobs::there_are_as_many_programs_as_jobs_at_once,
        jobs::the_job_line_says_everything_about_the_job,
        jobs::a_payload_larger_than_a_pipe_arrives,
        jobs::what_a_program_prints_is_the_log_of_its_job,
        jobs::messages_become_progress_log_result_and_failures,
        jobs::a_snooze_and_a_rate_limit_spend_no_attempt,
        jobs::an_end_of_another_job_ends_nothing,
        jobs::a_message_that_is_too_long_fails_its_job_alone,
        jobs::a_message_that_cannot_be_read_fails_its_job_and_the_program_stays,
        jobs::news_that_cannot_be_read_do_not_end_the_job,
        jobs::the_next_attempt_gets_the_last_checkpoint,
        death::a_death_fails_the_current_job_alone,
        death::a_status_and_a_signal_have_the_meaning_that_they_have_for_commands,
        death::an_exit_with_0_does_not_complete_a_job,
        death::a_program_that_ends_between_jobs_is_replaced_and_no_job_fails,
        death::a_program_that_ends_before_it_reads_a_job_does_not_fail_it,
        death::a_supervisor_that_was_killed_fails_the_job_and_leaves_nobody,
        closed::a_program_that_does_not_become_ready_closes_its_type_and_spends_no_attempt,
        closed::a_closed_type_opens_again_when_its_program_becomes_ready,
        closed::another_type_goes_on_while_one_is_closed,
        closed::a_program_that_is_never_ready_is_given_up_after_its_start_timeout,
        closed::a_drain_gives_up_a_program_that_is_never_ready_and_does_the_rest,
        closed::a_version_that_is_not_known_closes_the_type,
        closed::a_program_that_ends_without_taking_a_job_is_not_restarted_at_once,
        closed::a_program_that_is_not_found_fails_its_jobs,
        stopped::a_cancelled_job_gets_the_line_and_the_program_stays,
        stopped::a_program_that_does_not_listen_gets_sigterm_and_leaves_nobody,
        stopped::a_program_that_ignores_sigterm_is_killed_and_leaves_nobody,
        stopped::a_hung_job_reaches_its_time_limit_and_leaves_nobody,
        stopped::a_time_limit_during_the_start_counts_nothing,
        stopped::an_idle_program_is_asked_to_quit_at_the_end,
        stopped::an_idle_program_that_does_not_quit_gets_the_signals,
        stopped::a_shutdown_lets_a_job_end_within_the_grace,
        stopped::a_second_signal_ends_everything_at_once,
        stopped::a_dropped_worker_leaves_nobody,
        stopped::a_killed_worker_leaves_nobody,
        replaced::a_program_is_replaced_after_its_last_job,
        replaced::a_program_that_uses_too_much_memory_is_replaced,
        helper::the_helper_runs_jobs_and_reports_everything,
        helper::a_print_without_a_line_end_does_not_disturb_a_message,
        helper::the_helper_makes_texts_and_numbers_of_what_it_reports,
        helper::a_result_that_is_no_json_fails_its_job,
    ]
}
