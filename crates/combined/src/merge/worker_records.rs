use std::collections::BTreeMap;

use longshore_core::{WorkerId, WorkerRecord};

/// The most jobs of a worker that are listed.
const RUNNING_MAX: usize = 100;

/// The workers of all databases. One that is registered in several is one worker, with the jobs that it holds anywhere.
pub(crate) fn merge(parts: Vec<(usize, Vec<WorkerRecord>)>) -> Vec<WorkerRecord> {
    let mut order: Vec<WorkerId> = Vec::new();
    let mut all: BTreeMap<WorkerId, WorkerRecord> = BTreeMap::new();
    for record in parts.into_iter().flat_map(|(_, records)| records) {
        match all.get_mut(&record.worker_id) {
            Some(worker) => {
                worker.started_at = worker.started_at.min(record.started_at);
                worker.heartbeat_at = worker.heartbeat_at.max(record.heartbeat_at);
                worker.is_alive |= record.is_alive;
                worker.running.extend(record.running);
                worker.running.sort_by_key(|job| (job.started_at, job.id));
                worker.running.truncate(RUNNING_MAX);
            }
            None => {
                order.push(record.worker_id.clone());
                all.insert(record.worker_id.clone(), record);
            }
        }
    }
    order.iter().filter_map(|worker_id| all.remove(worker_id)).collect()
}
