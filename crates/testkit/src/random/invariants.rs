use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{Console, DependenciesRequest, Job, JobDetail, JobId, Status, WorkerId, Workflows};

use super::draw;
use super::run::Run;
use crate::suite::Harness;

impl<H: Harness> Run<H> {
    /// Checks what must be true at any time, independent of the model.
    pub(super) async fn check_invariants(&mut self) {
        self.reclaim_calmly().await;
        let store = self.main.subject.inner();
        let jobs = self.all_jobs(store).await;
        self.trail.must_be(&self.ids_in(store).await, &self.expected, "the jobs that are there");
        self.check_leases(&jobs).await;
        self.check_keys(&jobs);
        self.check_counts(&jobs).await;
        let by_id: BTreeMap<_, _> = jobs.iter().map(|job| (job.id, job)).collect();
        for job in &jobs {
            self.trail.must(is_whole(job), || format!("a state without its instants: {job:#?}"));
            let parent = job.parent_job_id.and_then(|parent| by_id.get(&parent));
            // A job that was retried without its parent waits until the parent is retried, or housekeeping gives it up.
            let waits_in_vain = job.status == Status::Blocked
                && parent.is_none_or(|parent| parent.status == Status::Completed)
                && !self.has_unmet_dependency(job.id).await;
            self.trail.must(!waits_in_vain, || format!("nobody will unblock {job:#?}"));
            let detail = store.job(job.id).await.expect("without faults jobs can be read").expect("it was on a page");
            self.trail.must(is_told_whole(&detail, H::leaves_no_gaps()), || {
                format!("its claims are not its attempts: {detail:#?}")
            });
        }
    }

    async fn has_unmet_dependency(&self, id: JobId) -> bool {
        let request = DependenciesRequest { id, name: None, result_bytes_max: 0 };
        let found = self.main.subject.inner().dependencies(request).await.expect("dependencies can be read");
        found.iter().any(|dependency| !dependency.state.is_over())
    }

    /// Every running job has a registered worker. Dead and lapsed workers have just been found.
    async fn check_leases(&self, jobs: &[Job]) {
        let workers = self.main.subject.inner().workers().await.expect("without faults workers can be read");
        let registered: BTreeSet<WorkerId> = workers.into_iter().map(|worker| worker.worker_id).collect();
        for job in jobs.iter().filter(|job| job.status == Status::Running) {
            let holds = job.worker_id.as_ref().is_some_and(|worker_id| registered.contains(worker_id));
            self.trail.must(holds, || format!("nobody who is registered runs {job:#?}"));
        }
    }

    fn check_keys(&self, jobs: &[Job]) {
        let mut held = BTreeSet::new();
        for job in jobs.iter().filter(|job| !job.status.is_ended()) {
            let key = job.unique_key.as_ref().filter(|key| draw::is_strict(key));
            let is_first = key.is_none_or(|key| held.insert(key));
            self.trail.must(is_first, || format!("two jobs hold one unique key: {job:#?}"));
        }
    }

    /// The stored counts equal the number of rows.
    async fn check_counts(&self, jobs: &[Job]) {
        let stats = self.main.subject.inner().stats(0).await.expect("without faults stats can be read");
        let mut kept: BTreeMap<(String, Status), u64> = BTreeMap::new();
        for queue in stats.queues {
            let depths = queue.jobs.into_iter().filter(|(_, jobs)| *jobs > 0);
            kept.extend(depths.map(|(status, jobs)| ((queue.queue.clone(), status), jobs)));
        }
        let mut counted: BTreeMap<(String, Status), u64> = BTreeMap::new();
        for job in jobs {
            *counted.entry((job.queue.clone(), job.status)).or_default() += 1;
        }
        self.trail.must_be(&kept, &counted, "the counts");
    }
}

/// Whether a job has all values that its status needs.
fn is_whole(job: &Job) -> bool {
    let is_ended = job.status.is_ended() == job.completed_at.is_some();
    let is_buried = (job.status == Status::DeadLetter)
        == (job.dead_letter_reason.is_some() && job.moved_to_dead_letter_at.is_some());
    let is_retrying = (job.status == Status::Retrying) == job.next_retry_at.is_some();
    let is_running = job.status != Status::Running || (job.worker_id.is_some() && job.started_at.is_some());
    is_ended && is_buried && is_retrying && is_running
}

/// Whether every claim is one attempt, listed once and in order. A store whose claim numbers have gaps shows at least
/// that they grow, and that the last one is the last attempt.
fn is_told_whole(detail: &JobDetail, leaves_no_gaps: bool) -> bool {
    let told: Vec<i64> = detail.attempts.iter().map(|attempt| attempt.claim_number.0).collect();
    let last = detail.job.claim_number.0;
    if leaves_no_gaps {
        return told == (1..=last).collect::<Vec<_>>();
    }
    told.is_sorted_by(|earlier, later| earlier < later) && told.last().copied().unwrap_or(0) == last
}
