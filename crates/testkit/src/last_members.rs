//! The last members of a batch end in one call, for tests that kill the process which makes it.
#![allow(clippy::unwrap_used, reason = "a behaviour that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use longshore_core::{
    Awaited, Backend, BatchCounts, BatchId, BatchStatus, JobData, JobId, JobPageRequest, Lease, Limits, Needs,
    NewDependency, NewWorkflow, Record, Selection, StartedAttempt, Status, WorkerId, WorkflowBatch, WorkflowJob,
};

use crate::{claim, ended, job, register_for_good, worker};

/// Longer than the rest of the batch takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAGE: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);
/// The data of a job that becomes a dead letter.
const FAILS: &str = r#"{"fails":true}"#;
/// Longer than a test, so that only the death of the process is found.
const LEASE: Duration = Duration::from_secs(600);

/// How the last members of a batch end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastEnd {
    /// All members complete, so the batch does.
    Completes,
    /// One member becomes a dead letter, so the batch fails.
    Fails,
}

/// A batch of two members that nobody has claimed yet, with callbacks for each of its ends.
#[derive(Clone, Debug)]
pub struct LastMembers {
    end: LastEnd,
    batch: BatchId,
    ids: BTreeMap<String, JobId>,
}

impl LastMembers {
    /// Enqueues the batch. So many more callbacks run at its end.
    pub async fn enqueue(store: &dyn Backend, end: LastEnd, more_callbacks: usize) -> Self {
        let data = if end == LastEnd::Fails { JobData::parse(FAILS).unwrap() } else { JobData::default() };
        let callback = |name: &str, needs: Needs| {
            WorkflowJob::new(job()).named(name).after(NewDependency::needing(Awaited::Batch, needs))
        };
        let mut jobs = vec![
            WorkflowJob::new(job()).named("a"),
            WorkflowJob::new(longshore_core::NewJob { job_data: data, ..job() }).named("b"),
            callback("completed", Needs::Completed),
            callback("failed", Needs::Failed),
            callback("ended", Needs::Ended),
            WorkflowJob::new(job())
                .named("after ended")
                .after(NewDependency::on(Awaited::Reference("ended".to_owned()))),
        ];
        jobs.extend((0..more_callbacks).map(|number| callback(&format!("ended {number}"), Needs::Ended)));
        let batch = WorkflowBatch::New { name: "import".to_owned(), is_open: false };
        let workflow = NewWorkflow { batch, jobs }.check(&Limits::default()).unwrap();
        let enqueued = store.enqueue_workflow(workflow).await.unwrap();
        Self { end, batch: enqueued.batch_id.unwrap(), ids: enqueued.ids }
    }

    /// In the process that is killed: claims both members, calls `ready`, and ends them in one call.
    pub async fn end_both(store: &dyn Backend, ready: impl FnOnce()) {
        let worker_id = join(store).await;
        let leases = store.claim(claim(&worker_id, 2)).await.unwrap().leases;
        assert_eq!(leases.len(), 2);
        let begun = leases.iter().zip(0..).map(|(lease, slot)| StartedAttempt {
            slot,
            id: lease.id,
            claim_number: lease.claim_number,
            is_accompanied: true,
        });
        store.mark_started(worker_id.clone(), begun.collect()).await.unwrap();
        ready();
        store.record(worker_id, leases.iter().map(end_of).collect()).await.unwrap();
        while store.advance_workflows().await.unwrap().has_more {}
    }

    /// In another process: goes on until everything has ended, and checks that each callback did what it should.
    pub async fn end_and_check(&self, store: &dyn Backend, worker_id: &WorkerId, at: &str) {
        let (begun, mut runs) = (Instant::now(), BTreeMap::new());
        loop {
            store.reclaim().await.unwrap();
            store.advance_workflows().await.unwrap();
            let leases = store.claim(claim(worker_id, 100)).await.unwrap().leases;
            if leases.is_empty() {
                if self.is_over(store).await {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{at}: it is stuck: {self:?}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            leases.iter().for_each(|lease| *runs.entry(lease.id).or_default() += 1);
            store.record(worker_id.clone(), leases.iter().map(end_of).collect()).await.unwrap();
        }
        self.check(store, &runs, at).await;
    }

    async fn is_over(&self, store: &dyn Backend) -> bool {
        let have_ended = self.statuses(store).await.values().all(|status| status.is_ended());
        have_ended && store.batch(self.batch).await.unwrap().unwrap().ended_at.is_some()
    }

    async fn statuses(&self, store: &dyn Backend) -> BTreeMap<JobId, Status> {
        let (mut statuses, mut after) = (BTreeMap::new(), None);
        loop {
            let selection = Selection::Jobs(self.ids.values().copied().collect());
            let page = store.jobs(JobPageRequest { selection, after, limit: PAGE, looked_max: None }).await.unwrap();
            statuses.extend(page.jobs.iter().map(|job| (job.id, job.status)));
            after = page.next;
            if after.is_none() {
                return statuses;
            }
        }
    }

    async fn check(&self, store: &dyn Backend, runs: &BTreeMap<JobId, u32>, at: &str) {
        let fails = self.end == LastEnd::Fails;
        let statuses = self.statuses(store).await;
        for (name, id) in &self.ids {
            let expected = match name.as_str() {
                "b" if fails => (Status::DeadLetter, None),
                "a" | "b" => (Status::Completed, None),
                "completed" if fails => (Status::DeadLetter, Some(0)),
                "failed" if !fails => (Status::Cancelled, Some(0)),
                _ => (Status::Completed, Some(1)),
            };
            // Members may have run again, if their process was killed before its commit.
            let found = expected.1.map(|_| runs.get(id).copied().unwrap_or(0));
            assert_eq!((statuses[id], found), expected, "{at}: {name}");
        }
        let batch = store.batch(self.batch).await.unwrap().unwrap();
        let dead_letter = u64::from(fails);
        let counts = BatchCounts { members: 2, completed: 2 - dead_letter, dead_letter, ..BatchCounts::default() };
        let status = if fails { BatchStatus::Failed } else { BatchStatus::Completed };
        assert_eq!((batch.status, batch.counts), (status, counts), "{at}");
        let advanced = store.advance_workflows().await.unwrap();
        assert_eq!((advanced.moved, advanced.has_more), (0, false), "{at}");
    }
}

/// A worker that dies with its process.
async fn join(store: &dyn Backend) -> WorkerId {
    register_for_good(store, worker().lease(LEASE).registration()).await
}

fn end_of(lease: &Lease) -> Record {
    if lease.job_data.as_str() == FAILS { ended(lease).dead_letter() } else { ended(lease).completed() }
}
