use longshore_core::{JobId, NameExcess, StoreError};
use thiserror::Error;

/// Why a queue was not moved, or not any further. What was done until then stays, and the same call carries on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MoveError {
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Both are the same database.
    #[error("{database} cannot move to itself")]
    SameDatabase {
        /// The database.
        database: String,
    },
    /// The database to move to has jobs of its own.
    #[error("{database} has {} of its own: a queue can only move to a database without jobs", count_jobs(*.jobs))]
    NotEmpty {
        /// The database.
        database: String,
        /// How many.
        jobs: u64,
    },
    /// Names of jobs are longer than the new database keeps.
    #[error("{database} cannot keep {}: {}", count_jobs(*.jobs), listed(.named, .jobs))]
    NamesTooLong {
        /// The new database.
        database: String,
        /// How many jobs have been found.
        jobs: u64,
        /// The first of them.
        named: Vec<(JobId, NameExcess)>,
    },
    /// A database takes part in another move.
    #[error("{database} takes part in another move: {state}")]
    OtherMove {
        /// The database.
        database: String,
        /// What its state says.
        state: String,
    },
    /// The queue is not here any more.
    #[error("the queue of {database} moved to {other}")]
    Elsewhere {
        /// The database that was named.
        database: String,
        /// Where the queue is.
        other: String,
    },
    /// The move is being undone.
    #[error("the move from {from} to {to} is being undone")]
    BeingUndone {
        /// The database to move from.
        from: String,
        /// The database to move to.
        to: String,
    },
    /// The move is complete in the old database, so it cannot be undone.
    #[error("the jobs of {from} have moved to {to} already: this cannot be undone")]
    Committed {
        /// The old database.
        from: String,
        /// The new one.
        to: String,
    },
    /// No move between these databases is going on.
    #[error("no move from {from} is going on: there is nothing to undo")]
    NothingToUndo {
        /// The database.
        from: String,
    },
    /// Another process changed the state of the move.
    #[error("another process carries out or undoes the move from {from} to {to}")]
    Raced {
        /// The database to move from.
        from: String,
        /// The database to move to.
        to: String,
    },
    /// Jobs are running that could not be taken back from their workers.
    #[error("{}", still_running(*.jobs, .database))]
    StillRunning {
        /// The database.
        database: String,
        /// How many.
        jobs: u64,
    },
    /// A job is not the same in both databases.
    #[error("job {id} is not the same in both databases: {found}")]
    Differs {
        /// The job.
        id: JobId,
        /// What was found.
        found: &'static str,
    },
    /// What is not a job is not the same in both databases.
    #[error(
        "what moves beside the jobs, such as settings, limits, schedules and tokens, is not the same in both databases"
    )]
    SettingsDiffer,
    /// The counts of the new database are not those of the jobs that arrived.
    #[error("{database} counts {found} jobs with status {status} where {expected} have arrived")]
    CountsDiffer {
        /// The new database.
        database: String,
        /// The status.
        status: longshore_core::Status,
        /// What it counts.
        found: u64,
        /// How many have arrived.
        expected: u64,
    },
}

impl MoveError {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::SameDatabase { .. } => "same_database",
            Self::NotEmpty { .. } => "database_not_empty",
            Self::NamesTooLong { .. } => "names_too_long",
            Self::OtherMove { .. } => "other_move",
            Self::Elsewhere { .. } => "queue_moved",
            Self::BeingUndone { .. } => "move_being_undone",
            Self::Committed { .. } => "move_committed",
            Self::NothingToUndo { .. } => "nothing_to_undo",
            Self::Raced { .. } => "move_raced",
            Self::StillRunning { .. } => "jobs_still_running",
            Self::Differs { .. } | Self::SettingsDiffer | Self::CountsDiffer { .. } => "copies_differ",
        }
    }
}

fn count_jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

fn still_running(jobs: u64, database: &str) -> String {
    match jobs {
        1 => format!("1 job of {database} is still running, and its worker cannot be found"),
        _ => format!("{jobs} jobs of {database} are still running, and their workers cannot be found"),
    }
}

fn listed(named: &[(JobId, NameExcess)], jobs: &u64) -> String {
    let words: Vec<String> = named.iter().map(|(id, excess)| format!("job {id}: {excess}")).collect();
    match jobs.saturating_sub(named.len() as u64) {
        0 => words.join("; "),
        others => format!("{}; and {others} more", words.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_is_told_in_the_singular() {
        let database = || "jobs.db".to_owned();
        let words = |jobs| {
            let not_empty = MoveError::NotEmpty { database: database(), jobs };
            [not_empty.to_string(), MoveError::StillRunning { database: database(), jobs }.to_string()]
        };
        assert_eq!(
            words(1),
            [
                "jobs.db has 1 job of its own: a queue can only move to a database without jobs",
                "1 job of jobs.db is still running, and its worker cannot be found"
            ]
        );
        assert_eq!(
            words(2),
            [
                "jobs.db has 2 jobs of its own: a queue can only move to a database without jobs",
                "2 jobs of jobs.db are still running, and their workers cannot be found"
            ]
        );
    }
}
