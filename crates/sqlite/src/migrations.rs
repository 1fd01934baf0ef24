//! The queue's own migrations, built in as the source `longshore`.

use std::sync::OnceLock;

use longshore_migrate::{Direction, Source, source::LONGSHORE, target::VerifiedSource};

macro_rules! pair {
    ($stem:literal) => {
        [
            (concat!($stem, ".up.sql"), include_str!(concat!("../migrations/", $stem, ".up.sql"))),
            (concat!($stem, ".down.sql"), include_str!(concat!("../migrations/", $stem, ".down.sql"))),
        ]
    };
}

const FILES: [[(&str, &str); 2]; 6] = [
    pair!("001_create_job_queue"),
    pair!("002_enhance_job_queue_error_handling"),
    pair!("003_rebuild_job_queue_for_claims"),
    pair!("004_add_logs_counts_and_workers"),
    pair!("005_keep_workers_apart"),
    pair!("006_bound_jobs_in_time"),
];

/// The tables that these migrations make, for the cheap look at a worker's start.
pub(crate) const TABLES: [&str; 9] = [
    "job_attempts",
    "job_depths",
    "job_duties",
    "job_logs",
    "job_minutes",
    "job_queue",
    "job_queues",
    "job_replaced",
    "job_workers",
];

/// The source `longshore`.
pub fn longshore() -> Source {
    Source::embedded(LONGSHORE, FILES.as_flattened())
        .intending(3, Direction::Up, &LOST_BY_003)
        .intending(3, Direction::Down, &LOST_BY_003_DOWN)
}

/// What 003 leaves behind on purpose; a released file cannot say so itself any more. The indexes of 001 and 002 make
/// room for its own. An orphaned job waits again, so it has no start and no worker, and only a dead letter keeps what is
/// known of one; an instant that is none, a time limit that is none and a parent that is not there become NULL.
const LOST_BY_003: [&str; 14] = [
    "idx_job_queue_status",
    "idx_job_queue_priority",
    "idx_job_queue_created_at",
    "idx_job_queue_type",
    "idx_job_queue_failure_type",
    "idx_job_queue_next_retry_at",
    "job_queue.started_at",
    "job_queue.completed_at",
    "job_queue.worker_id",
    "job_queue.timeout_seconds",
    "job_queue.parent_job_id",
    "job_queue.next_retry_at",
    "job_queue.dead_letter_reason",
    "job_queue.moved_to_dead_letter_at",
];

/// Its own indexes, which make room for those of 001 and 002 again.
const LOST_BY_003_DOWN: [&str; 6] = [
    "job_queue_ready",
    "job_queue_due",
    "job_queue_running",
    "job_queue_unique_key",
    "job_queue_parent",
    "job_queue_dead_letter",
];

/// What is remembered of the source when all of it is in order.
pub(crate) fn when_verified() -> &'static VerifiedSource {
    static SOURCE: OnceLock<VerifiedSource> = OnceLock::new();
    SOURCE.get_or_init(|| VerifiedSource {
        name: LONGSHORE.to_owned(),
        digest: longshore().digest().expect("these migrations are files"),
        tables: TABLES.map(str::to_owned).to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_migration_file_is_built_in() {
        let mut found: Vec<String> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let mut built_in: Vec<String> = FILES.as_flattened().iter().map(|(name, _)| (*name).to_owned()).collect();
        built_in.sort();
        assert_eq!(found, built_in);
        assert_eq!(longshore().findings(), []);
    }
}
