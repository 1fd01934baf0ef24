use std::collections::BTreeSet;
use std::process::Command;

use fastrand::Rng;

use crate::crew::WorkerProcess;

/// A queue whose processes are killed, and what its database shows.
pub(crate) trait CrashedQueue: Sync {
    /// A command of the program, in the folder of the queue.
    fn command(&self, words: &[&str]) -> Command;

    /// Starts one of the workers. The choice of what is open is `random`.
    fn worker(&self, place: usize, random: &mut Rng) -> WorkerProcess;

    /// The workers that together run what is left, and end.
    fn drains(&self) -> Vec<Command>;

    /// The registered workers with their processes; none while the database cannot be read.
    fn workers(&self) -> Vec<(String, u32)>;

    /// The jobs that a process holds, with their claim numbers; none while the database cannot be read.
    fn running_of(&self, pid: u32) -> Vec<(i64, i64)>;

    /// Whether one of these claims still belongs to its worker.
    fn is_any_held(&self, claims: &[(i64, i64)]) -> bool;

    /// The ids of the jobs that ran to their end, each possibly more than once.
    fn marks(&self) -> BTreeSet<i64>;

    /// Every job.
    fn jobs(&self) -> Vec<JobRow>;

    /// Every attempt that was taken from its worker, and those after which jobs that kill their worker were given up.
    fn taken_away(&self) -> Vec<TakenAway>;

    /// How many counts are not those of the jobs.
    fn wrong_counts(&self) -> i64;

    /// Whether a death may be found only by the end of the lease, which charges nobody.
    fn can_the_dead_lapse(&self) -> bool;

    /// How many jobs have each state, for people.
    fn depths(&self) -> String;
}

/// A job as the database shows it.
#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) id: i64,
    pub(crate) job_type: String,
    pub(crate) status: String,
    pub(crate) claim_number: i64,
    pub(crate) crash_count: i64,
    pub(crate) reason: Option<String>,
}

/// An attempt that was taken from its worker.
#[derive(Debug)]
pub(crate) struct TakenAway {
    pub(crate) job_id: i64,
    pub(crate) claim_number: i64,
    pub(crate) worker_id: String,
    pub(crate) outcome: String,
    pub(crate) failure_type: Option<String>,
}
