use std::collections::{HashMap, HashSet};
use std::mem::discriminant;
use std::pin::Pin;

use futures_core::Stream;
use thiserror::Error;

use crate::job::new_job::{NAME_BYTES_MAX, check_name, check_span};
use crate::{
    Awaited, BatchId, ClaimNumber, InvalidJob, JobId, Limits, Needs, NewDependency, NewJob, StoreError, ValidJob,
    WorkerId,
};

/// Jobs that depend on each other, to be enqueued together.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWorkflow {
    /// The batch that they belong to.
    pub batch: WorkflowBatch,
    /// The jobs. One comes after those that it waits for.
    pub jobs: Vec<WorkflowJob>,
}

/// The batch of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowBatch {
    /// None: its jobs only wait for each other and for older jobs.
    None,
    /// A new one.
    New {
        /// Its name, for people.
        name: String,
        /// Whether it stays open, so that anybody may add members later. Otherwise it is closed at once.
        is_open: bool,
    },
    /// One that exists. It must be open, or `by` must run.
    Existing {
        /// The batch.
        id: BatchId,
        /// The member that adds the jobs while it runs.
        by: Option<RunningMember>,
    },
}

/// The attempt of a member, which may add other members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningMember {
    /// The worker that runs it.
    pub worker_id: WorkerId,
    /// The job.
    pub id: JobId,
    /// The claim of this attempt.
    pub claim_number: ClaimNumber,
}

/// A job of a new workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowJob {
    /// The job.
    pub job: NewJob,
    /// Its name among the jobs of the workflow; jobs behind it may wait for it.
    pub reference: Option<String>,
    /// What it waits for. Nothing: it may run at once.
    pub after: Vec<NewDependency>,
}

impl WorkflowJob {
    /// A job that waits for nothing.
    pub const fn new(job: NewJob) -> Self {
        Self { job, reference: None, after: Vec::new() }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Lets it wait for this too.
    #[must_use]
    pub fn after(mut self, dependency: NewDependency) -> Self {
        self.after.push(dependency);
        self
    }
}

/// A job of a workflow that was checked together with those before it. Only [`WorkflowCheck`] makes one from outside data.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidWorkflowJob {
    job: ValidJob,
    reference: Option<String>,
    after: Vec<NewDependency>,
}

impl ValidWorkflowJob {
    /// A job that a backend kept in another form, such as a temporary file of its own.
    pub const fn from_stored(job: ValidJob, reference: Option<String>, after: Vec<NewDependency>) -> Self {
        Self { job, reference, after }
    }

    /// The job. It has no parent if it waits for anything.
    pub const fn job(&self) -> &ValidJob {
        &self.job
    }

    /// Its name.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// What it waits for.
    pub fn after(&self) -> &[NewDependency] {
        &self.after
    }
}

/// The jobs of a workflow as they arrive. An error undoes everything.
pub type WorkflowStream = Pin<Box<dyn Stream<Item = Result<ValidWorkflowJob, StoreError>> + Send>>;

/// A workflow that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidWorkflow {
    batch: WorkflowBatch,
    jobs: Vec<ValidWorkflowJob>,
}

impl ValidWorkflow {
    /// Its batch and its jobs.
    pub fn into_parts(self) -> (WorkflowBatch, Vec<ValidWorkflowJob>) {
        (self.batch, self.jobs)
    }

    /// Its batch.
    pub const fn batch(&self) -> &WorkflowBatch {
        &self.batch
    }

    /// Its jobs.
    pub fn jobs(&self) -> &[ValidWorkflowJob] {
        &self.jobs
    }
}

impl NewWorkflow {
    /// Checks all of it. Err says what is wrong with the first job that is.
    pub fn check(self, limits: &Limits) -> Result<ValidWorkflow, InvalidWorkflow> {
        let Self { batch, jobs } = self;
        let mut check = WorkflowCheck::begin(&batch)?;
        let jobs = jobs.into_iter().map(|job| check.check(job, limits)).collect::<Result<_, _>>()?;
        Ok(ValidWorkflow { batch, jobs })
    }
}

/// Why a workflow is invalid for every store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidWorkflow {
    /// A job is invalid by itself, or a name of the workflow is.
    #[error(transparent)]
    Job(#[from] InvalidJob),
    /// A job waits for a reference that no job before it has.
    #[error("no job before this one has the ref \"{reference}\": a job can only wait for jobs that come before it")]
    UnknownReference {
        /// The reference.
        reference: String,
    },
    /// A step waits for a step of another workflow.
    #[error(
        "a step cannot wait for a step of another workflow: enqueue that one first, and wait for the id of its job"
    )]
    StepElsewhere,
    /// Two jobs have the same reference.
    #[error("two jobs have the ref \"{reference}\": give each another one")]
    RepeatedReference {
        /// The reference.
        reference: String,
    },
    /// A job waits for the batch, or for a signal to it, and there is none.
    #[error(
        "a job that waits for {what} needs a batch: make one, in lines with a first line such as {{\"batch\": \
         {{\"name\": \"import\"}}}}, in Rust with Workflow::new"
    )]
    NeedsBatch {
        /// What it waits for.
        what: &'static str,
    },
    /// A job waits for two things that have the same name among its dependencies, so it would see only one of them.
    #[error(
        "a job cannot wait for both {one} and {other}, because LONGSHORE_DEPENDENCIES would have both under the name \
         \"{name}\": rename one of them"
    )]
    SameName {
        /// What comes first.
        one: String,
        /// The other one.
        other: String,
        /// Their name.
        name: String,
    },
    /// A job waits for too much.
    #[error("a job can wait for at most {max} others: let it wait for their batch instead")]
    TooManyDependencies {
        /// How many at most.
        max: usize,
    },
    /// A workflow has too many references.
    #[error("a workflow can have at most {max} jobs with a ref")]
    TooManyReferences {
        /// How many at most.
        max: usize,
    },
}

/// Checks the jobs of a workflow one after the other, in bounded memory: it keeps only the references.
#[derive(Debug)]
pub struct WorkflowCheck {
    has_batch: bool,
    references: HashSet<Box<str>>,
}

impl WorkflowCheck {
    /// How much one job can wait for.
    pub const DEPENDENCIES_MAX: usize = 1000;
    /// How many jobs of one workflow can have a reference.
    pub const REFERENCES_MAX: usize = 1_000_000;

    /// Begins with the batch of the workflow.
    pub fn begin(batch: &WorkflowBatch) -> Result<Self, InvalidWorkflow> {
        if let WorkflowBatch::New { name, .. } = batch {
            check_name("name of the batch", name, NAME_BYTES_MAX)?;
        }
        Ok(Self { has_batch: *batch != WorkflowBatch::None, references: HashSet::new() })
    }

    /// Checks the next job.
    pub fn check(&mut self, job: WorkflowJob, limits: &Limits) -> Result<ValidWorkflowJob, InvalidWorkflow> {
        let WorkflowJob { job, reference, mut after } = job;
        if job.parent.is_some() && !after.is_empty() {
            return Err(InvalidJob::Both { one: "parent_job_id", other: "after" }.into());
        }
        let job = job.check(limits)?;
        if after.len() > Self::DEPENDENCIES_MAX {
            return Err(InvalidWorkflow::TooManyDependencies { max: Self::DEPENDENCIES_MAX });
        }
        after.iter().try_for_each(|dependency| self.check_awaited(&dependency.awaited))?;
        check_dependency_names(&after)?;
        if let Some(reference) = &reference {
            self.add(reference)?;
        }
        // A signal comes or does not: no store need ask which end of it counts.
        let signals = after.iter_mut().filter(|dependency| matches!(dependency.awaited, Awaited::Signal { .. }));
        signals.for_each(|dependency| dependency.needs = Needs::Completed);
        Ok(ValidWorkflowJob { job, reference, after })
    }

    fn check_awaited(&self, awaited: &Awaited) -> Result<(), InvalidWorkflow> {
        match awaited {
            Awaited::Reference(reference) => {
                if !self.references.contains(reference.as_str()) {
                    return Err(InvalidWorkflow::UnknownReference { reference: reference.clone() });
                }
            }
            Awaited::Batch if !self.has_batch => return Err(InvalidWorkflow::NeedsBatch { what: "a batch" }),
            Awaited::Job(_) | Awaited::Batch => {}
            Awaited::Signal { .. } if !self.has_batch => {
                return Err(InvalidWorkflow::NeedsBatch { what: "a signal" });
            }
            Awaited::Signal { name, timeout } => {
                check_name("name of the signal", name, NAME_BYTES_MAX)?;
                check_span("the timeout of a signal", *timeout)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, reference: &str) -> Result<(), InvalidWorkflow> {
        check_name("ref", reference, NAME_BYTES_MAX)?;
        if self.references.len() >= Self::REFERENCES_MAX {
            return Err(InvalidWorkflow::TooManyReferences { max: Self::REFERENCES_MAX });
        }
        if !self.references.insert(reference.into()) {
            return Err(InvalidWorkflow::RepeatedReference { reference: reference.to_owned() });
        }
        Ok(())
    }
}

/// A dependency may be given twice, as for two of its ends; two dependencies may not have one name.
fn check_dependency_names(after: &[NewDependency]) -> Result<(), InvalidWorkflow> {
    let mut named: HashMap<String, &Awaited> = HashMap::with_capacity(after.len());
    for NewDependency { awaited, .. } in after {
        let name = awaited.name();
        if let Some(first) = named.get(&name)
            && discriminant(*first) != discriminant(awaited)
        {
            return Err(InvalidWorkflow::SameName { one: in_words(first), other: in_words(awaited), name });
        }
        named.insert(name, awaited);
    }
    Ok(())
}

fn in_words(awaited: &Awaited) -> String {
    match awaited {
        Awaited::Job(job) => format!("job {job}"),
        Awaited::Reference(reference) => format!("the job with the ref \"{reference}\""),
        Awaited::Batch => "its batch".to_owned(),
        Awaited::Signal { name, .. } => format!("the signal \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::JobData;

    fn job() -> WorkflowJob {
        WorkflowJob::new(NewJob::new("work", JobData::default()))
    }

    fn on(reference: &str) -> NewDependency {
        NewDependency::on(Awaited::Reference(reference.to_owned()))
    }

    fn checked(jobs: Vec<WorkflowJob>, batch: WorkflowBatch) -> Result<ValidWorkflow, InvalidWorkflow> {
        NewWorkflow { batch, jobs }.check(&Limits::default())
    }

    fn batch() -> WorkflowBatch {
        WorkflowBatch::New { name: "import".to_owned(), is_open: false }
    }

    #[test]
    fn a_job_waits_only_for_references_that_come_before_it() {
        assert!(checked(vec![job().named("a"), job().after(on("a"))], WorkflowBatch::None).is_ok());
        for jobs in [
            vec![job().after(on("a"))],
            vec![job().after(on("a")), job().named("a")],
            vec![job().named("a").after(on("a"))],
        ] {
            let unknown = InvalidWorkflow::UnknownReference { reference: "a".to_owned() };
            assert_eq!(checked(jobs, batch()), Err(unknown));
        }
    }

    #[test]
    fn a_reference_names_one_job() {
        let repeated = InvalidWorkflow::RepeatedReference { reference: "a".to_owned() };
        assert_eq!(checked(vec![job().named("a"), job().named("a")], batch()), Err(repeated));
    }

    #[test]
    fn who_waits_for_a_batch_or_a_signal_has_a_batch() {
        let signal = || Awaited::Signal { name: "approved".to_owned(), timeout: None };
        for awaited in [Awaited::Batch, signal()] {
            let jobs = || vec![job().after(NewDependency::on(awaited.clone()))];
            assert!(checked(jobs(), batch()).is_ok());
            assert!(matches!(checked(jobs(), WorkflowBatch::None), Err(InvalidWorkflow::NeedsBatch { .. })));
        }
    }

    #[test]
    fn names_and_spans_are_bounded() {
        let long = "x".repeat(201);
        let signal = |name: &str, timeout| {
            vec![job().after(NewDependency::on(Awaited::Signal { name: name.to_owned(), timeout }))]
        };
        for jobs in
            [vec![job().named("")], vec![job().named(&*long)], signal("", None), signal("s", Some(Duration::ZERO))]
        {
            assert!(matches!(checked(jobs, batch()), Err(InvalidWorkflow::Job(_))));
        }
        let nameless = WorkflowBatch::New { name: String::new(), is_open: false };
        assert!(matches!(checked(Vec::new(), nameless), Err(InvalidWorkflow::Job(InvalidJob::Name { .. }))));
    }

    #[test]
    fn a_job_waits_for_a_bounded_number_of_others() {
        let waiting = |count| {
            let after = (1..=count).map(|id| NewDependency::on(Awaited::Job(JobId(id)))).collect();
            vec![WorkflowJob { after, ..job() }]
        };
        assert!(checked(waiting(1000), WorkflowBatch::None).is_ok());
        let too_many = InvalidWorkflow::TooManyDependencies { max: 1000 };
        assert_eq!(checked(waiting(1001), WorkflowBatch::None), Err(too_many));
    }

    #[test]
    fn a_job_does_not_wait_for_two_things_of_one_name() {
        let signal = |name: &str| NewDependency::on(Awaited::Signal { name: name.to_owned(), timeout: None });
        let of_job = |id| NewDependency::on(Awaited::Job(JobId(id)));
        let waiting = |reference: &str, after: Vec<NewDependency>| {
            checked(vec![job().named(reference), WorkflowJob { after, ..job() }], batch())
        };
        for (name, other) in
            [("approved", signal("approved")), ("7", of_job(7)), ("batch", NewDependency::on(Awaited::Batch))]
        {
            for after in [vec![on(name), other.clone()], vec![other, on(name)]] {
                let refused = waiting(name, after.clone());
                assert!(matches!(refused, Err(InvalidWorkflow::SameName { .. })), "{after:?}: {refused:?}");
            }
        }
        for after in [vec![signal("batch"), NewDependency::on(Awaited::Batch)], vec![of_job(7), signal("7")]] {
            assert!(matches!(waiting("a", after), Err(InvalidWorkflow::SameName { .. })));
        }
        let twice = vec![on("a"), NewDependency::needing(Awaited::Reference("a".to_owned()), Needs::Ended)];
        assert!(waiting("a", twice).is_ok());
        assert!(waiting("a", vec![on("a"), of_job(7), signal("approved"), NewDependency::on(Awaited::Batch)]).is_ok());
    }

    #[test]
    fn the_two_things_of_one_name_are_named() {
        let signal = NewDependency::on(Awaited::Signal { name: "a".to_owned(), timeout: None });
        let error = checked(vec![job().named("a"), job().after(on("a")).after(signal)], batch()).unwrap_err();
        let expected = "a job cannot wait for both the job with the ref \"a\" and the signal \"a\", because \
                        LONGSHORE_DEPENDENCIES would have both under the name \"a\": rename one of them";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_job_has_a_parent_or_dependencies() {
        let mut both = job().after(NewDependency::on(Awaited::Job(JobId(1))));
        both.job.parent = Some(JobId(2));
        assert!(matches!(checked(vec![both], batch()), Err(InvalidWorkflow::Job(InvalidJob::Both { .. }))));
    }
}
