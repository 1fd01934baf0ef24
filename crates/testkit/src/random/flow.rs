use longshore_core::{
    Awaited, BatchChange, BatchId, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, Console,
    DependenciesRequest, JobId, Limits, Needs, NewDependency, NewSignal, NewWorkflow, Otherwise, RunningMember, Status,
    WorkflowBatch, WorkflowJob, Workflows,
};

use super::draw;
use super::run::Run;
use crate::suite::Harness;

const SIGNALS: [&str; 2] = ["approved", "paid"];
/// The maximum number of steps for what follows from one call.
const STEPS_MAX: u32 = 10_000;

impl<H: Harness> Run<H> {
    /// One operation on workflows.
    pub(super) async fn flow(&mut self) {
        match self.random.u32(..10) {
            0..=5 => self.enqueue_workflow().await,
            6..=7 => self.change_batch().await,
            _ => self.send_signal().await,
        }
        self.expect_what_is_there().await;
    }

    /// Stores choose how much one step does, so each goes on until nothing follows any more.
    pub(super) async fn advance(&self) {
        for store in [self.main.subject.inner() as &dyn Workflows, &self.main.model] {
            let mut steps = 0;
            while store.advance_workflows().await.expect("without faults steps can be taken").has_more {
                steps += 1;
                self.trail.must(steps < STEPS_MAX, || "what follows does not come to an end".to_owned());
            }
        }
    }

    async fn enqueue_workflow(&mut self) {
        let workflow = self.draw_workflow().await;
        let what = format!("enqueue {workflow:?}");
        // What is invalid for every store reaches none.
        let Ok(valid) = workflow.check(&Limits::default()) else { return };
        self.trail.both(&self.main, &what, |store| store.enqueue_workflow(valid.clone())).await;
    }

    async fn draw_workflow(&mut self) -> NewWorkflow {
        let batch = self.draw_batch().await;
        let (now, known) = (self.now(), self.known());
        let mut jobs: Vec<WorkflowJob> = Vec::new();
        for number in 0..self.random.usize(..6) {
            let mut job = WorkflowJob::new(draw::new_job(&mut self.random, now, &known));
            while draw::is_lucky(&mut self.random, 0.45) {
                let mut dependency = self.draw_dependency(batch != WorkflowBatch::None, &jobs, &known);
                if !job.after.is_empty() && !matches!(dependency.otherwise, Otherwise::Run | Otherwise::Wait) {
                    // Of two for which it could be given up at the same time, it is open which one that is.
                    dependency.otherwise = Otherwise::Run;
                }
                job = job.after(dependency);
                job.job.parent = None;
            }
            jobs.push(if self.random.bool() { job.named(format!("job {number}")) } else { job });
        }
        NewWorkflow { batch, jobs }
    }

    /// Usually a new one. One that is there may be closed; then only its running members add to it.
    async fn draw_batch(&mut self) -> WorkflowBatch {
        match self.random.u32(..8) {
            0 => return WorkflowBatch::None,
            1 => {
                let id = self.some_batch().await;
                return WorkflowBatch::Existing { id, by: None };
            }
            2 => {
                if let Some(existing) = self.draw_running_member().await {
                    return existing;
                }
            }
            _ => {}
        }
        WorkflowBatch::New { name: "import".to_owned(), is_open: draw::is_lucky(&mut self.random, 0.3) }
    }

    async fn draw_running_member(&mut self) -> Option<WorkflowBatch> {
        let place = self.some_actor()?;
        let actor = &self.actors[place];
        let held = actor.holds.get(self.random.usize(..actor.holds.len().max(1)))?;
        let (id, claim_number) = (held.lease.id, held.lease.claim_number);
        let detail = self.main.model.job(id).await.expect("the model can be read")?;
        let by = RunningMember { worker_id: actor.worker_id.clone(), id, claim_number };
        Some(WorkflowBatch::Existing { id: detail.place.batch_id?, by: Some(by) })
    }

    fn draw_dependency(&mut self, has_batch: bool, before: &[WorkflowJob], known: &[JobId]) -> NewDependency {
        let random = &mut self.random;
        let references: Vec<&String> = before.iter().filter_map(|job| job.reference.as_ref()).collect();
        let awaited = match random.u32(..10) {
            0..=1 if has_batch => Awaited::Batch,
            2 if has_batch => Awaited::Signal {
                name: (*draw::pick(random, &SIGNALS)).to_owned(),
                timeout: random.bool().then(|| draw::milliseconds(random, 1..60_000)),
            },
            3..=7 if !references.is_empty() => Awaited::Reference((*draw::pick(random, &references)).clone()),
            _ if known.is_empty() || draw::is_lucky(random, 0.03) => {
                Awaited::Job(JobId(random.i64(900_000..1_000_000)))
            }
            _ => Awaited::Job(*draw::pick(random, known)),
        };
        let needs = *draw::pick(random, &[Needs::Completed, Needs::Completed, Needs::Ended, Needs::Failed]);
        let dependency = NewDependency::needing(awaited, needs);
        let others = [Otherwise::DeadLetter, Otherwise::Cancel, Otherwise::Run, Otherwise::Wait];
        if random.bool() { dependency.or_else(*draw::pick(random, &others)) } else { dependency }
    }

    async fn change_batch(&mut self) {
        let id = self.some_batch().await;
        let changes = [BatchChange::Close, BatchChange::Cancel, BatchChange::Retry, BatchChange::Retry];
        let change = ChangeBatch { id, change: *draw::pick(&mut self.random, &changes), after: None };
        let what = format!("{change:?}");
        self.trail.both(&self.main, &what, |store| store.change_batch(change)).await;
    }

    async fn send_signal(&mut self) {
        let batch = self.some_batch().await;
        let name = (*draw::pick(&mut self.random, &SIGNALS)).to_owned();
        let data = self.random.bool().then(|| draw::data(&mut self.random));
        let signal = NewSignal { batch, name, data };
        let what = format!("{signal:?}");
        self.trail.both(&self.main, &what, |store| store.signal(signal.clone())).await;
    }

    /// One of the latest; sometimes one that does not exist.
    async fn some_batch(&mut self) -> BatchId {
        let batches = self.batches_of_model(10).await;
        if batches.is_empty() || draw::is_lucky(&mut self.random, 0.05) {
            return BatchId(self.random.i64(900_000..1_000_000));
        }
        draw::pick(&mut self.random, &batches).id
    }

    async fn batches_of_model(&self, limit: u32) -> Vec<BatchRecord> {
        let request = BatchesRequest { statuses: None, before: None, limit };
        self.main.model.batches(request).await.expect("the model can be read")
    }

    /// So that the batches of the end can end.
    pub(super) async fn close_batches(&self) {
        for batch in self.batches_of_model(1000).await {
            let change = ChangeBatch { id: batch.id, change: BatchChange::Close, after: None };
            self.trail.both_calmly(&self.main, |store| store.change_batch(change)).await;
        }
    }

    /// Compares every batch with its jobs, and what each job waits or waited for.
    pub(super) async fn compare_batches(&self) {
        let all = BatchesRequest { statuses: None, before: None, limit: 1000 };
        self.trail.both_calmly(&self.main, |store| store.batches(all.clone())).await;
        for batch in self.batches_of_model(1000).await {
            let some = vec![Status::Completed, Status::DeadLetter, Status::Blocked];
            for (statuses, limit) in [(None, 1000), (Some(some.clone()), 2), (Some(some), 1000)] {
                let request = BatchJobsRequest { id: batch.id, statuses, after: None, limit };
                self.trail.both_calmly(&self.main, |store| store.batch_jobs(request.clone())).await;
            }
        }
        for id in &self.expected {
            let request = DependenciesRequest { id: *id, name: None, result_bytes_max: 1000 };
            let has_none =
                self.main.model.dependencies(request.clone()).await.expect("the model can be read").is_empty();
            if !has_none {
                self.trail.both_calmly(&self.main, |store| store.dependencies(request.clone())).await;
            }
        }
    }
}
