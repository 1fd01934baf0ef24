use std::time::Duration;

use longshore_core::{Awaited, JobId, Needs, NewDependency, Otherwise};

use crate::workflow::WorkflowStep;

/// What a step of a [`Workflow`](crate::workflow::Workflow) waits for, and what becomes of it when that can no longer
/// happen. A step, a reference to one, and the id of an older job mean their completion.
///
/// ```
/// # use longshore::workflow::{After, Otherwise, Workflow};
/// # use longshore::{NewJob, JobData};
/// # use std::time::Duration;
/// let mut flow = Workflow::new("import 42");
/// let convert = flow.add_job(NewJob::new("convert", JobData::default()));
/// // Runs whether the conversion completes or not.
/// flow.add_job(NewJob::new("clean", JobData::default())).after(After::the_end_of(&convert));
/// // Waits two days for an operator.
/// let approved = After::signal("approved").timeout(Duration::from_secs(2 * 86_400)).otherwise(Otherwise::Cancel);
/// flow.add_job(NewJob::new("publish", JobData::default())).after(convert).after(approved);
/// ```
#[derive(Clone, Debug)]
pub struct After {
    pub(super) target: AfterTarget,
    needs: Needs,
    otherwise: Option<Otherwise>,
    timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) enum AfterTarget {
    Step(WorkflowStep),
    Job(JobId),
    Batch,
    Signal(String),
}

impl After {
    const fn needing(target: AfterTarget, needs: Needs) -> Self {
        Self { target, needs, otherwise: None, timeout: None }
    }

    /// Any end of it.
    #[must_use]
    pub fn the_end_of(what: impl Into<Self>) -> Self {
        Self { needs: Needs::Ended, ..what.into() }
    }

    /// That it ends and has not completed.
    #[must_use]
    pub fn the_failure_of(what: impl Into<Self>) -> Self {
        Self { needs: Needs::Failed, ..what.into() }
    }

    /// A signal to the batch of the workflow, such as `longshore signal approved --batch 9` sends.
    #[must_use]
    pub fn signal(name: impl Into<String>) -> Self {
        Self::needing(AfterTarget::Signal(name.into()), Needs::Completed)
    }

    pub(super) const fn batch(needs: Needs) -> Self {
        Self::needing(AfterTarget::Batch, needs)
    }

    /// What becomes of the step when this can no longer happen. Default: a dead letter; one that waits for a failure is
    /// cancelled.
    #[must_use]
    pub const fn otherwise(mut self, otherwise: Otherwise) -> Self {
        self.otherwise = Some(otherwise);
        self
    }

    /// How long a signal is waited for. Means nothing for anything else. Default: for ever.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(super) fn into_dependency(
        self,
        awaited: impl FnOnce(AfterTarget, Option<Duration>) -> Awaited,
    ) -> NewDependency {
        let Self { target, needs, otherwise, timeout } = self;
        let dependency = NewDependency::needing(awaited(target, timeout), needs);
        match otherwise {
            Some(otherwise) => dependency.or_else(otherwise),
            None => dependency,
        }
    }
}

impl From<WorkflowStep> for After {
    fn from(step: WorkflowStep) -> Self {
        Self::needing(AfterTarget::Step(step), Needs::Completed)
    }
}

impl From<&WorkflowStep> for After {
    fn from(step: &WorkflowStep) -> Self {
        step.clone().into()
    }
}

impl From<JobId> for After {
    fn from(id: JobId) -> Self {
        Self::needing(AfterTarget::Job(id), Needs::Completed)
    }
}
