mod limits;
pub(crate) mod programs;
mod schedules;
mod server;
mod several;

use std::collections::BTreeSet;

use longshore_core::{BrokenKey, Health, JobKeeper, MovePhase, Status, StuckCause};
use longshore_report::HealthProblem;
use serde::Serialize;

pub(crate) use several::examine;

use crate::output::quoted::{argument, flag_with_name, toml_key};

/// A problem and its fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A stable code for scripts.
    pub(crate) code: &'static str,
    /// The problem, in one sentence.
    pub(crate) message: String,
    /// The fix.
    pub(crate) hint: String,
}

impl Finding {
    /// Creates a finding.
    pub(crate) fn new(code: &'static str, message: String, hint: impl Into<String>) -> Self {
        Self { code, message, hint: hint.into() }
    }
}

/// Finds problems in the facts, the worst first. `configured` are the job types of the configuration file.
pub(crate) fn judge(health: &Health, configured: &BTreeSet<String>) -> Vec<Finding> {
    let problems = HealthProblem::all_of(health, |job_type| configured.contains(job_type));
    let is_first = |it: &HealthProblem| matches!(it, HealthProblem::Moving(_) | HealthProblem::DiskAlmostFull { .. });
    let (first, rest): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| is_first(problem));
    let mut findings: Vec<Finding> = first.into_iter().map(of_problem).collect();
    findings.extend(health.server.iter().flat_map(server::judge));
    findings.extend(rest.into_iter().map(of_problem));
    findings
}

fn of_problem(problem: &HealthProblem) -> Finding {
    Finding::new(problem.code(), problem.to_string(), hint_of(problem))
}

/// What to type against a problem.
fn hint_of(problem: &HealthProblem) -> String {
    match problem {
        HealthProblem::Moving(state) => of_move(state.phase).to_owned(),
        HealthProblem::ReadOnlyServer => {
            "connect to the primary, or name all servers in the URL; else look at default_transaction_read_only of the \
             server, the database and the role"
                .to_owned()
        }
        HealthProblem::DiskAlmostFull { .. } => {
            "free some space, or move the database; on a full disk every write fails".to_owned()
        }
        HealthProblem::ClockJumped { .. } => {
            "set the clock, for example with an NTP service; until then, scheduled jobs may start late".to_owned()
        }
        HealthProblem::DeadWorkers { .. } => {
            "keep a worker running (\"longshore work\"): it returns the jobs to their queues within seconds, or soon \
             after the lease of the dead worker has ended"
                .to_owned()
        }
        HealthProblem::StuckJobs { first, .. } => of_stuck_job(&first.cause),
        HealthProblem::LongAttempts { first, .. } => {
            let id = first.id;
            format!(
                "see what it does with \"longshore jobs logs {id}\"; if it hangs, longshore jobs cancel {id}, and set a \
                 timeout for this type"
            )
        }
        HealthProblem::KeptJobs(JobKeeper { table, column, .. }) => format!(
            "declare the foreign key of {table}.{column} with ON DELETE SET NULL (then the column may be NULL) or \
             CASCADE, or delete its rows"
        ),
        HealthProblem::BrokenKey(BrokenKey { table, .. }) => {
            format!(
                "let the foreign key of {table} refer to job_queue (id), or drop it; workers then continue by themselves"
            )
        }
        HealthProblem::NoWorker { .. } => "start one with \"longshore work\" or \"longshore up\"".to_owned(),
        HealthProblem::InvalidNames { .. } => {
            "give them a valid name in SQL (UPDATE job_queue SET queue = …, job_type = \
                                               …), and correct the program that wrote them"
                .to_owned()
        }
        HealthProblem::UnknownType { job_type, .. } => format!(
            "declare [jobs.{}] in longshore.toml, start the program that handles it, or delete them: \
             longshore jobs delete --all {}",
            toml_key(job_type),
            flag_with_name("--type", job_type)
        ),
        HealthProblem::TypeWithoutWorker { .. } => {
            "restart the worker, so that it reads the configuration that declares this type".to_owned()
        }
        HealthProblem::PausedQueue { queue, .. } => format!("longshore queues resume {}", argument(queue)),
        HealthProblem::DeadLettersGrow { .. } => {
            "find the reasons with \"longshore dead list\", then retry or discard them".to_owned()
        }
        HealthProblem::LogDoesNotShrink { .. } => {
            "stop the program that keeps a read transaction open on the database \
                                                   (\"fuser FILE\" lists candidates)"
                .to_owned()
        }
    }
}

const fn of_move(phase: MovePhase) -> &'static str {
    match phase {
        MovePhase::MovedAway => "use that database: what is left here is a copy that nobody may change",
        MovePhase::Undoing => "carry it on with the same \"longshore move\" with --undo",
        // A move that has arrived is no problem.
        MovePhase::Draining | MovePhase::Frozen | MovePhase::Arriving | MovePhase::Arrived => {
            "if it was interrupted, run the same \"longshore move\" again, or with --undo"
        }
    }
}

fn of_stuck_job(cause: &StuckCause) -> String {
    match cause {
        StuckCause::ParentEnded { parent, status } if *status != Status::Completed => {
            format!(
                "longshore jobs retry {parent}; otherwise a worker's housekeeping gives up the jobs that wait for it"
            )
        }
        _ => "start a worker (\"longshore work\"): its housekeeping fixes them within minutes".to_owned(),
    }
}

#[cfg(test)]
mod tests;
