//! What the released migrations lose on purpose. A released file cannot say so itself any more.

use longshore_migrate::{Direction, Source};

/// Says for the queue's own source what `-- longshore: loses NAME` would say in its files.
pub(crate) fn declare(source: Source) -> Source {
    source.intending(3, Direction::Up, &LOST_BY_003).intending(3, Direction::Down, &LOST_BY_003_DOWN)
}

/// The indexes of 001 and 002 make room for its own. An orphaned job waits again, so it has no start and no worker, and
/// only a dead letter keeps what is known of one; an instant that is none, a time limit that is none and a parent that
/// is not there become NULL.
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
