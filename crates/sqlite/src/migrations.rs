//! The queue's own migrations, built in as the source `longshore`.

mod intended;

use std::sync::{Arc, OnceLock};

use longshore_migrate::{
    files::script::Statement,
    files::source::LONGSHORE,
    target::VerifiedSource,
    {Direction, Elsewhere, Source},
};

use crate::adoption::QueueAdopter;

macro_rules! pair {
    ($stem:literal) => {
        [
            (concat!($stem, ".up.sql"), include_str!(concat!("../migrations/", $stem, ".up.sql"))),
            (concat!($stem, ".down.sql"), include_str!(concat!("../migrations/", $stem, ".down.sql"))),
        ]
    };
}

const FILES: [[(&str, &str); 2]; 15] = [
    pair!("001_create_job_queue"),
    pair!("002_enhance_job_queue_error_handling"),
    pair!("003_rebuild_job_queue_for_claims"),
    pair!("004_add_logs_counts_and_workers"),
    pair!("005_keep_workers_apart"),
    pair!("006_bound_jobs_in_time"),
    pair!("007_settle_defaults_by_type"),
    pair!("008_add_checkpoints"),
    pair!("009_keep_schedules"),
    pair!("010_add_workflows"),
    pair!("011_add_limits"),
    pair!("012_keep_tokens"),
    pair!("013_keep_audit_trail"),
    pair!("014_index_jobs_by_status"),
    pair!("015_accept_schedules_in_older_sqlite"),
];

/// The tables that these migrations create, for the fast check when a worker starts, with the views.
pub(crate) const TABLES: [&str; 24] = [
    "job_attempts",
    "job_audit",
    "job_batches",
    "job_checkpoints",
    "job_depths",
    "job_duties",
    "job_early_instants",
    "job_followups",
    "job_history",
    "job_lanes",
    "job_limits",
    "job_logs",
    "job_members",
    "job_minutes",
    "job_queue",
    "job_queues",
    "job_replaced",
    "job_schedules",
    "job_signals",
    "job_ticks",
    "job_tokens",
    "job_type_settings",
    "job_waits",
    "job_workers",
];

/// The source `longshore`.
pub fn longshore() -> Source {
    // The application that the queue comes from had a manager of its own, which ran 001 and 002 under these numbers.
    let elsewhere = Elsewhere { numbers: &[1, 2], table: "job_queue" };
    let source = intended::declare(Source::embedded(LONGSHORE, FILES.as_flattened()));
    source.known_elsewhere(elsewhere).adopting(Arc::new(QueueAdopter))
}

/// The statements of every migration up to `number`, in order.
pub(crate) fn statements_up_to(number: i64) -> Vec<Statement> {
    let source = Source::embedded(LONGSHORE, FILES.as_flattened());
    let wanted = source.migrations().iter().filter(|migration| migration.id.number <= number);
    wanted
        .filter_map(|migration| migration.script(Direction::Up))
        .flat_map(|script| script.statements().to_vec())
        .collect()
}

/// The views that these migrations create.
pub(crate) const VIEWS: [&str; 1] = ["job_lane_keys"];

/// What is remembered of the source when all of it is in order.
pub(crate) fn when_verified() -> &'static VerifiedSource {
    static SOURCE: OnceLock<VerifiedSource> = OnceLock::new();
    SOURCE.get_or_init(|| VerifiedSource {
        name: LONGSHORE.to_owned(),
        digest: longshore().digest().expect("these migrations are files"),
        tables: TABLES.into_iter().chain(VIEWS).map(str::to_owned).collect(),
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
