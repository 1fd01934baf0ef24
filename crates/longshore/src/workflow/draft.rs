use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{
    Awaited, InvalidJobData, InvalidWorkflow, Needs, NewJob, NewWorkflow, StoreError, WorkflowBatch, WorkflowJob,
};

use crate::trace::EnqueueSpan;
use crate::workflow::After;
use crate::workflow::after::AfterTarget;
use crate::{Payload, QueueError};

/// Jobs that wait for each other, to be enqueued together by
/// [`Queue::enqueue_workflow`](crate::Queue::enqueue_workflow). They belong to a batch, which has completed when all of
/// them have.
///
/// A step waits for steps that were added before it. The callbacks wait for the batch; the batch does not wait for them, nor
/// for what comes after them.
///
/// ```
/// # use longshore::{Job, testing::ScratchQueue, workflow::Workflow};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Job, Serialize, Deserialize)]
/// # struct Fetch { url: String }
/// # #[derive(Job, Serialize, Deserialize)]
/// # struct Convert { part: u32 }
/// # #[derive(Job, Serialize, Deserialize)]
/// # struct Notify;
/// # #[derive(Job, Serialize, Deserialize)]
/// # struct Alert;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let queue = ScratchQueue::open().await?;
/// let mut flow = Workflow::new("import 42");
/// let fetch = flow.add(&Fetch { url: "https://example.org/42".into() }).named("fetch");
/// flow.add(&Convert { part: 1 }).after(&fetch);
/// flow.add(&Convert { part: 2 }).after(&fetch);
/// flow.on_completed(&Notify);
/// flow.on_failed(&Alert);
/// let enqueued = queue.enqueue_workflow(flow).await?;
/// println!("batch {:?}, fetch is job {}", enqueued.batch_id, enqueued.ids["fetch"]);
/// # Ok(())
/// # }
/// ```
pub struct Workflow {
    batch: WorkflowBatch,
    draft: Arc<Mutex<Draft>>,
}

#[derive(Debug, Default)]
struct Draft {
    jobs: Vec<WorkflowJob>,
    /// The first payload that could not be encoded.
    error: Option<InvalidJobData>,
    /// Whether a step waits for one of another workflow.
    has_foreign_step: bool,
}

/// A step of a workflow. Cheap to clone.
#[derive(Clone)]
pub struct WorkflowStep {
    draft: Arc<Mutex<Draft>>,
    place: usize,
}

impl Workflow {
    /// A workflow whose batch has this name, which is for people. The batch is closed: nobody adds jobs to it but its own
    /// running jobs ([`CurrentAttempt::enqueue_members`](crate::CurrentAttempt::enqueue_members)).
    pub fn new(name: impl Into<String>) -> Self {
        Self::of(WorkflowBatch::New { name: name.into(), is_open: false })
    }

    /// The same with a batch that stays open until it is closed: others may add jobs, and it does not end before.
    pub fn open(name: impl Into<String>) -> Self {
        Self::of(WorkflowBatch::New { name: name.into(), is_open: true })
    }

    /// Jobs without a batch of their own: they only wait for each other, or are added to a batch that exists.
    pub fn without_batch() -> Self {
        Self::of(WorkflowBatch::None)
    }

    fn of(batch: WorkflowBatch) -> Self {
        Self { batch, draft: Arc::default() }
    }

    /// Adds a typed job. If it cannot be encoded, the enqueue of the workflow says so.
    pub fn add<T: Payload>(&mut self, payload: &T) -> WorkflowStep {
        match payload.to_job() {
            Ok(job) => self.add_job(job),
            Err(error) => {
                let mut draft = lock(&self.draft);
                let first = draft.error.take().unwrap_or(error);
                draft.error = Some(first);
                drop(draft);
                self.add_job(NewJob::new(T::JOB_TYPE, longshore_core::JobData::default()))
            }
        }
    }

    /// Adds a job of any type.
    pub fn add_job(&mut self, job: NewJob) -> WorkflowStep {
        let mut draft = lock(&self.draft);
        draft.jobs.push(WorkflowJob::new(job));
        WorkflowStep { draft: Arc::clone(&self.draft), place: draft.jobs.len() - 1 }
    }

    /// Adds a job that runs when the batch has completed. If the batch fails, it becomes a dead letter; a retry of the
    /// batch brings it back.
    pub fn on_completed<T: Payload>(&mut self, payload: &T) -> WorkflowStep {
        self.add(payload).after(After::batch(Needs::Completed))
    }

    /// Adds a job that runs when the batch has failed: every job has ended, and one has not completed. If the batch
    /// completes, it is cancelled.
    pub fn on_failed<T: Payload>(&mut self, payload: &T) -> WorkflowStep {
        self.add(payload).after(After::batch(Needs::Failed))
    }

    /// Adds a job that runs when the batch has ended, however.
    pub fn on_ended<T: Payload>(&mut self, payload: &T) -> WorkflowStep {
        self.add(payload).after(After::batch(Needs::Ended))
    }

    /// The workflow as a store takes it, with the span of its enqueue; in another batch if one is given.
    pub(crate) fn into_traced(self, batch: Option<WorkflowBatch>) -> Result<(EnqueueSpan, NewWorkflow), QueueError> {
        let NewWorkflow { batch, jobs } = self.into_new(batch)?;
        let span = EnqueueSpan::of_several(jobs.iter().map(|job| &job.job), None);
        let traced = |job: WorkflowJob| WorkflowJob { job: job.job.traced(span.traceparent()), ..job };
        let jobs = jobs.into_iter().map(traced).collect();
        Ok((span, NewWorkflow { batch, jobs }))
    }

    /// The workflow as a store takes it; in another batch if one is given.
    pub(crate) fn into_new(self, batch: Option<WorkflowBatch>) -> Result<NewWorkflow, QueueError> {
        let mut draft = lock(&self.draft);
        if let Some(error) = draft.error.take() {
            return Err(error.into());
        }
        if draft.has_foreign_step {
            return Err(StoreError::InvalidWorkflow(InvalidWorkflow::StepElsewhere).into());
        }
        let mut jobs = std::mem::take(&mut draft.jobs);
        name_steps(&mut jobs);
        Ok(NewWorkflow { batch: batch.unwrap_or(self.batch), jobs })
    }
}

impl WorkflowStep {
    /// Gives the step a name, by which steps after it read its result and the answer of the enqueue has its id. Default:
    /// its place among the steps, from 1 on; `step 1` if a step also waits for job 1 or for a signal of that name.
    #[must_use = "the name is only needed to refer to the step"]
    pub fn named(self, name: impl Into<String>) -> Self {
        if let Some(job) = lock(&self.draft).jobs.get_mut(self.place) {
            job.reference = Some(name.into());
        }
        self
    }

    /// Lets the step wait for this too: another step, an older job by its id, or an [`After`].
    pub fn after(self, what: impl Into<After>) -> Self {
        let what: After = what.into();
        if matches!(&what.target, AfterTarget::Step(step) if !Arc::ptr_eq(&step.draft, &self.draft)) {
            // The enqueue says so.
            lock(&self.draft).has_foreign_step = true;
            return self;
        }
        let dependency = what.into_dependency(|target, timeout| match target {
            AfterTarget::Step(step) => Awaited::Reference(step.name()),
            AfterTarget::Job(id) => Awaited::Job(id),
            AfterTarget::Batch => Awaited::Batch,
            AfterTarget::Signal(name) => Awaited::Signal { name, timeout },
        });
        if let Some(job) = lock(&self.draft).jobs.get_mut(self.place) {
            job.after.push(dependency);
        }
        self
    }

    /// Its name.
    pub fn name(&self) -> String {
        let named = lock(&self.draft).jobs.get(self.place).and_then(|job| job.reference.clone());
        named.unwrap_or_else(|| place_name(self.place))
    }
}

/// Gives the steps without a name their places. Nobody chose these, so one that is also the id of an older job or the name
/// of a signal, which a step waits for, becomes another one: the results of both have names of their own.
fn name_steps(jobs: &mut [WorkflowJob]) {
    let awaited = jobs.iter().flat_map(|job| &job.after).map(|dependency| &dependency.awaited);
    let others = awaited.filter(|awaited| !matches!(awaited, Awaited::Reference(_)));
    let taken: HashSet<String> = others.map(Awaited::name).collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for (place, job) in jobs.iter_mut().enumerate().filter(|(_, job)| job.reference.is_none()) {
        let mut name = place_name(place);
        if taken.contains(&name) {
            name = format!("step {name}");
            renamed.insert(place_name(place), name.clone());
        }
        job.reference = Some(name);
    }
    for dependency in jobs.iter_mut().flat_map(|job| &mut job.after) {
        if let Awaited::Reference(name) = &mut dependency.awaited
            && let Some(new) = renamed.get(name)
        {
            new.clone_into(name);
        }
    }
}

fn place_name(place: usize) -> String {
    (place + 1).to_string()
}

fn lock(draft: &Mutex<Draft>) -> MutexGuard<'_, Draft> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jobs = lock(&self.draft).jobs.len();
        f.debug_struct("Workflow").field("batch", &self.batch).field("jobs", &jobs).finish()
    }
}

impl fmt::Debug for WorkflowStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowStep").field("name", &self.name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, JobId, Limits, NewDependency};

    use super::*;

    fn job() -> NewJob {
        NewJob::new("work", JobData::default())
    }

    #[test]
    fn a_step_without_a_name_has_that_of_its_place() {
        let mut flow = Workflow::new("import");
        let first = flow.add_job(job());
        let second = flow.add_job(job()).named("b").after(&first).after(JobId(7));
        flow.add_job(job()).after(second).after(first);
        let new = flow.into_new(None).unwrap();
        let names: Vec<_> = new.jobs.iter().map(|job| job.reference.as_deref()).collect();
        assert_eq!(names, [Some("1"), Some("b"), Some("3")]);
        let on = |name: &str| NewDependency::on(Awaited::Reference(name.to_owned()));
        assert_eq!(new.jobs[1].after, [on("1"), NewDependency::on(Awaited::Job(JobId(7)))]);
        assert_eq!(new.jobs[2].after, [on("b"), on("1")]);
        assert!(new.check(&Limits::default()).is_ok());
    }

    #[test]
    fn a_place_that_is_also_the_id_of_an_older_job_is_no_name() {
        let mut flow = Workflow::new("import");
        let first = flow.add_job(job());
        flow.add_job(job()).after(&first).after(JobId(1)).after(After::signal("2"));
        let new = flow.into_new(None).unwrap();
        let names: Vec<_> = new.jobs.iter().map(|job| job.reference.as_deref()).collect();
        assert_eq!(names, [Some("step 1"), Some("step 2")]);
        assert_eq!(new.jobs[1].after[0], NewDependency::on(Awaited::Reference("step 1".to_owned())));
        assert!(new.check(&Limits::default()).is_ok());
    }

    #[test]
    fn a_step_of_another_workflow_is_refused() {
        let foreign = Workflow::new("other").add_job(job());
        let mut flow = Workflow::new("import");
        flow.add_job(job()).after(foreign);
        let error = flow.into_new(None).unwrap_err();
        let expected = "a step cannot wait for a step of another workflow: enqueue that one first, and wait for the id \
                        of its job";
        assert_eq!((error.code(), error.to_string().as_str()), ("invalid_workflow", expected));
    }

    #[test]
    fn a_failure_that_cannot_happen_any_more_cancels_unless_told() {
        let mut flow = Workflow::new("import");
        let step = flow.add_job(job());
        flow.add_job(job()).after(After::the_failure_of(&step));
        flow.add_job(job()).after(After::the_failure_of(&step).otherwise(longshore_core::Otherwise::Run));
        let new = flow.into_new(None).unwrap();
        let otherwise: Vec<_> = new.jobs[1..].iter().map(|job| job.after[0].otherwise).collect();
        assert_eq!(otherwise, [longshore_core::Otherwise::Cancel, longshore_core::Otherwise::Run]);
    }
}
