//! Real processes with every kind of fault at once, on both backends: producers and workers die by SIGKILL, workers are
//! frozen for longer than their lease, the database cannot be written or reached for longer than a lease, and some jobs
//! kill their worker. At the end every acknowledged job has run and ended as it should, and no job was charged a crash
//! that did not happen. `sqlite/` and `postgres/` have the faults that only one of them knows.
//!
//! `LONGSHORE_CRASH_SECONDS` makes the run longer, `LONGSHORE_SEED` repeats its choices.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by unwrap and prints its figures")]

mod account;
mod crashed_queue;
mod crew;
mod ledger;
mod limits;
mod postgres;
mod produce;
mod sqlite;
mod steps;
mod workers;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

/// The time limit of every wait in this test.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [postgres::WORKER, rest @ ..] => return postgres::run_worker(rest),
        [steps::WORKER, rest @ ..] => return steps::run_worker(rest),
        _ => {}
    }
    let run = |run: fn(&Plan)| {
        move || -> Result<(), libtest_mimic::Failed> {
            run(&Plan::from_environment());
            Ok(())
        }
    };
    let trials = vec![
        Trial::test(
            "nothing_is_lost_or_wrongly_charged_though_processes_are_killed_frozen_and_kept_from_writing",
            run(sqlite::run),
        ),
        Trial::test(
            "on_postgres_nothing_is_lost_or_recorded_twice_though_servers_networks_and_processes_fail",
            run(postgres::run),
        ),
        Trial::test("a_worker_killed_between_the_effect_of_a_step_and_its_record_repeats_that_step_alone", || {
            steps::on_sqlite();
            Ok(())
        }),
        Trial::test("on_postgres_a_worker_killed_between_an_effect_and_its_record_repeats_that_step_alone", || {
            steps::on_postgres();
            Ok(())
        }),
        Trial::test("never_more_than_a_limit_hold_a_lease_though_workers_are_killed", || {
            limits::on_sqlite();
            Ok(())
        }),
        Trial::test("on_postgres_never_more_than_a_limit_hold_a_lease_though_workers_are_killed", || {
            limits::on_postgres();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// How long a run lasts and which choices it makes.
struct Plan {
    seed: u64,
    span: Duration,
}

impl Plan {
    fn from_environment() -> Self {
        let number_from = |variable: &str| std::env::var(variable).ok()?.parse().ok();
        let seed = number_from("LONGSHORE_SEED").unwrap_or(68);
        let seconds = number_from("LONGSHORE_CRASH_SECONDS").unwrap_or(120);
        println!("seed {seed}, {seconds} seconds");
        Self { seed, span: Duration::from_secs(seconds) }
    }
}

/// Ends the other threads also when this one panics. Otherwise the scope would wait for them for ever.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
