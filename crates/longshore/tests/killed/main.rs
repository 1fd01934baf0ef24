//! Workers kill themselves and are killed at every moment, and afterwards everything has happened exactly once. The test
//! binary is also the worker that is killed.

#![allow(clippy::unwrap_used, reason = "tests of a harness of their own are not seen as tests")]

mod complete_in;
mod deaths;
mod workflow;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use deaths::Mood;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [complete_in::WORK, path] => complete_in::work(Path::new(path), Mood::Suicidal),
        [workflow::WORK, path] => workflow::work(Path::new(path), Mood::Suicidal),
        _ => {
            let trials = vec![
                trial(
                    "work_and_its_jobs_happen_exactly_once_though_their_processes_are_killed_at_every_moment",
                    complete_in::exactly_once,
                ),
                trial(
                    "the_callbacks_of_a_batch_run_exactly_once_though_the_processes_of_its_members_are_killed",
                    workflow::exactly_once,
                ),
            ];
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    }
    ExitCode::SUCCESS
}

fn trial(name: &str, run: fn()) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}
