use std::collections::BTreeMap;

use longshore_core::{
    Condition, Health, LocalHealth, LongAttempt, MovePhase, MoveState, ServerHealth, StuckJob, TypeBacklog, WorkerId,
};

use super::stats::merge_queues;

/// The facts of all databases together. Who wants to know where something is asks each of them.
pub(crate) fn merge(mut parts: Vec<(usize, Health)>, home: impl Fn(&str) -> usize) -> Option<Health> {
    let queues = parts.iter_mut().map(|(place, health)| (*place, std::mem::take(&mut health.queues))).collect();
    let mut parts = parts.into_iter().map(|(_, health)| health);
    let mut all = parts.next()?;
    for health in parts {
        add(&mut all, health);
    }
    all.queues = merge_queues(queues, home);
    all.known_job_types.sort_unstable();
    all.known_job_types.dedup();
    all.stuck.sort_by_key(|stuck| stuck.id);
    all.stuck.truncate(StuckJob::TOLD_MAX);
    all.long_attempts.sort_by_key(|attempt| attempt.started_at);
    all.long_attempts.truncate(LongAttempt::TOLD_MAX);
    Some(all)
}

/// The conditions of two databases together.
pub(crate) fn both(first: Condition, second: Condition) -> Condition {
    Condition {
        now: first.now,
        local: either_local(first.local, second.local),
        server_bytes: match (first.server_bytes, second.server_bytes) {
            (Some(first), Some(second)) => Some(first + second),
            (first, second) => first.or(second),
        },
        stuck_jobs: (first.stuck_jobs + second.stuck_jobs).min(StuckJob::TOLD_MAX),
    }
}

fn either_local(first: Option<LocalHealth>, second: Option<LocalHealth>) -> Option<LocalHealth> {
    match (first, second) {
        (Some(first), Some(second)) => Some(both_local(first, second)),
        (first, second) => first.or(second),
    }
}

fn add(all: &mut Health, health: Health) {
    all.latest_record_at = all.latest_record_at.max(health.latest_record_at);
    all.local = either_local(all.local, health.local);
    match (&mut all.server, health.server) {
        (Some(first), Some(second)) => add_server(first, second),
        (first @ None, second) => *first = second,
        (Some(_), None) => {}
    }
    all.backlog = merge_backlog(std::mem::take(&mut all.backlog), health.backlog);
    let mut dead: BTreeMap<WorkerId, u64> = all.dead_workers.drain(..).collect();
    for (worker_id, jobs) in health.dead_workers {
        *dead.entry(worker_id).or_default() += jobs;
    }
    all.dead_workers = dead.into_iter().collect();
    all.known_job_types.extend(health.known_job_types);
    // The same workers are registered everywhere.
    all.living_workers = all.living_workers.max(health.living_workers);
    all.stuck.extend(health.stuck);
    all.keepers.extend(health.keepers);
    all.broken_keys.extend(health.broken_keys);
    all.long_attempts.extend(health.long_attempts);
    all.dead_letters += health.dead_letters;
    all.dead_letters_last_hour += health.dead_letters_last_hour;
    // A move that is over says nothing that anybody must do.
    let is_over = |state: &MoveState| state.phase == MovePhase::Arrived;
    if all.moving.as_ref().is_none_or(is_over) {
        all.moving = health.moving.or(all.moving.take());
    }
}

/// The sizes of both, and the disk with less space.
fn both_local(first: LocalHealth, second: LocalHealth) -> LocalHealth {
    let free = |health: &LocalHealth| health.disk_free_bytes.unwrap_or(u64::MAX);
    let fuller = if free(&second) < free(&first) { second } else { first };
    LocalHealth {
        database_bytes: first.database_bytes + second.database_bytes,
        wal_bytes: first.wal_bytes.max(second.wal_bytes),
        ..fuller
    }
}

fn add_server(first: &mut ServerHealth, second: ServerHealth) {
    let ServerHealth {
        database_bytes,
        is_read_only,
        held_snapshots,
        dead_rows,
        tables_without_autovacuum,
        used_up_sequences,
        missing_rights,
        partition_obstacle,
    } = second;
    first.database_bytes += database_bytes;
    first.is_read_only |= is_read_only;
    first.held_snapshots.extend(held_snapshots);
    first.dead_rows.extend(dead_rows);
    first.tables_without_autovacuum.extend(tables_without_autovacuum);
    first.used_up_sequences.extend(used_up_sequences);
    first.missing_rights.extend(missing_rights);
    first.partition_obstacle = first.partition_obstacle.take().or(partition_obstacle);
}

fn merge_backlog(first: Vec<TypeBacklog>, second: Vec<TypeBacklog>) -> Vec<TypeBacklog> {
    let mut all: BTreeMap<(String, String, bool), TypeBacklog> = BTreeMap::new();
    for backlog in first.into_iter().chain(second) {
        let key = (backlog.queue.clone(), backlog.job_type.clone(), backlog.has_valid_names);
        match all.get_mut(&key) {
            Some(sum) => {
                sum.jobs += backlog.jobs;
                sum.oldest_ready_at = sum.oldest_ready_at.min(backlog.oldest_ready_at);
            }
            None => drop(all.insert(key, backlog)),
        }
    }
    all.into_values().collect()
}
