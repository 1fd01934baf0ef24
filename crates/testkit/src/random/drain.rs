use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Action, ClaimRequest, Filter, Job, QueueChange, QueueScope, RequestId, Status, WorkerId};

use super::draw;
use super::pair::Sessions;
use super::run::Run;
use crate::suite::Harness;
use crate::{ended, worker};

/// A drain that has not ended after this many claims never will.
const CLAIMS_MAX: u32 = 10_000;
const A_WEEK: Duration = Duration::from_secs(7 * 86_400);

impl<H: Harness> Run<H> {
    /// The end of the run: all workers die, the faults stop, and one good worker runs the remaining jobs.
    pub(super) async fn drain(&mut self) {
        while !self.actors.is_empty() {
            self.kill();
        }
        self.main.subject.heal();
        self.clock.advance(A_WEEK);
        self.reclaim_calmly().await;
        // Jobs that were retried without their parent have waited long enough.
        self.settle().await;
        for queue in draw::QUEUES {
            self.trail.both_calmly(&self.main, |store| store.change_queue(queue.to_owned(), QueueChange::Resume)).await;
        }
        self.unset_limits().await;
        self.close_batches().await;
        self.advance().await;
        // One for both drains: when the end of a session is noticed is left to the store.
        let worker_id = WorkerId::from_stored(&format!("worker-of-the-end-{:016x}", self.random.u64(..)));
        let registration = worker().id(worker_id.clone()).lease(A_WEEK * 8).registration();
        let sessions = Sessions::default();
        self.trail.both_calmly(&self.main, |store| sessions.register(store, registration.clone())).await;
        self.run_all(&worker_id).await;
        self.check_invariants().await;
        // Those that wait for a signal that does not come, or on until a retry.
        let waiting = Filter::all().statuses([Status::Blocked]);
        self.trail.both_calmly(&self.main, |store| store.act(waiting.clone().into(), Action::Cancel)).await;
        self.advance().await;
        self.run_all(&worker_id).await;
        let left: Vec<Job> = self.all_jobs(self.main.subject.inner()).await;
        for job in left {
            self.trail.must(job.status.is_ended(), || format!("it never ends: {job:#?}"));
        }
    }

    async fn run_all(&mut self, worker_id: &WorkerId) {
        let job_types: Arc<[String]> = draw::JOB_TYPES.iter().map(ToString::to_string).collect();
        for _ in 0..CLAIMS_MAX {
            let request = ClaimRequest {
                request_id: RequestId(self.random.u64(..)),
                worker_id: worker_id.clone(),
                job_types: Arc::clone(&job_types),
                scope: QueueScope::All,
                limit: 50,
                limited_max: 50,
            };
            let claimed = self.trail.both_calmly(&self.main, |store| store.claim(request.clone())).await;
            let claimed = claimed.expect("the worker of the end lives");
            if claimed.leases.is_empty() && claimed.next_due.is_none() {
                return;
            }
            if claimed.leases.is_empty() {
                self.clock.advance(Duration::from_secs(3600));
            }
            let records: Vec<_> = claimed.leases.iter().map(|lease| ended(lease).completed()).collect();
            let call = || (worker_id.clone(), records.clone());
            self.trail
                .both_calmly(&self.main, |store| {
                    let (worker_id, records) = call();
                    store.record(worker_id, records.into())
                })
                .await;
            self.advance().await;
        }
        self.trail.must(false, || "the drain does not come to its end".to_owned());
    }
}
