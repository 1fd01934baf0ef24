//! What looks a job up by its id, also where it waits behind a hundred thousand others of its type and queue.

use super::plans::{HotStatement, hot};

/// The last jobs of their lane.
pub(super) const HOT: [HotStatement; 19] = [
    hot!("reading/select_jobs", "bigint[]", "'{99999,100000}'"),
    hot!("reading/select_attempts", "bigint", "100001"),
    hot!("reading/select_filtered", "bigint[]", "'{99999,100000}'"),
    hot!("state/lock_jobs", "bigint[]", "'{99999,100000}'"),
    hot!("state/lock_free_jobs", "bigint[]", "'{99999,100000}'"),
    hot!("jobs/apply_type_settings", "bigint[]", "'{100000}'"),
    hot!(
        "enqueue/replace_waiting_job",
        "bigint, text, text, integer, integer, integer, integer, bigint, bigint, bigint, text, boolean, timestamptz, bigint, text",
        "100000, 'work', '{}', 9, 1, 1, 1, 1, NULL, NULL, NULL, false, NULL, NULL, NULL"
    ),
    hot!("enqueue/end_overdue_holder", "bigint, smallint, text", "100000, 2, 'late'"),
    hot!("moving/delete_moved_jobs", "bigint[]", "'{99999,100000}'"),
    hot!("workflows/select_member", "bigint", "100000"),
    hot!("workflows/select_dependencies", "bigint[], bigint", "'{99999,100000}', 10"),
    hot!("workflows/select_waiting_dependents", "bigint, bigint, bigint", "99999, 0, 51"),
    hot!("checkpoints/select_shown", "bigint, integer", "100000, 10"),
    hot!("upkeep/bury_stateless_jobs", "bigint, bigint, text", "99990, 20, 'no state'"),
    of_last("SELECT status FROM longshore.job_queue WHERE id = $1"),
    of_last("SELECT longshore.watch_job($1)"),
    of_last("SELECT longshore.block_job(j.id, 1) FROM longshore.job AS j WHERE j.id = $1"),
    of_last("SELECT longshore.end_overdue_job(j.id) FROM longshore.job AS j WHERE j.id = $1"),
    of_last("SELECT longshore.replace_job($1, j, true) FROM longshore.job AS j WHERE j.id = $1"),
];

/// What the schema itself does with one job.
const fn of_last(text: &'static str) -> HotStatement {
    HotStatement { name: text, text, types: "bigint", values: "100000" }
}
