use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_core::{
    AwaitedState, BatchId, BatchStatus, DeadLetterReason, DependencySettled, DependencyState, JobId, Needs, Otherwise,
    Status, Timestamp, job_failed, settle_dependency, signal_missed,
};
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;

/// A dependency of a job, as far as it decides what becomes of the job.
#[derive(Clone, Debug)]
pub(super) struct Dependent {
    /// The place of its target, or of its job, in the request.
    pub(super) place: usize,
    pub(super) id: JobId,
    pub(super) position: i32,
    pub(super) target: Target,
    needs: Needs,
    otherwise: Otherwise,
    pub(super) state: DependencyState,
    timeout_at: Option<Timestamp>,
    /// Whether the target was retried.
    pub(super) is_revived: bool,
}

/// What it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Job(JobId),
    Batch(i64),
    Signal { batch: i64, name: String },
}

/// How the targets are now.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) jobs: HashMap<JobId, Status>,
    pub(super) batches: BTreeMap<i64, BatchStatus>,
    pub(super) signals: BTreeSet<(i64, String)>,
    pub(super) now: Timestamp,
}

/// What becomes of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The job no longer waits for it.
    Over(DependencyState),
    /// The job ends with this status.
    GivenUp { status: Status, reason: String },
    /// The job was given up because of it, and its target was retried.
    Revived,
    /// Its time has passed, or the retry that it waited for has come, and the job waits on.
    WaitsOn,
}

impl Dependent {
    /// From the columns of `workflows/select_dependents.sql`, in their order.
    pub(super) fn of(row: &Row) -> Result<Self, Error> {
        let columns = &mut Columns::of(row);
        let place = columns.size()?.saturating_sub(1) as usize;
        let (id, position) = (columns.id()?, columns.read()?);
        let (kind, target_id, signal): (&str, i64, Option<String>) =
            (columns.read()?, columns.read()?, columns.read()?);
        let target = match (kind, signal) {
            ("job", _) => Target::Job(JobId(target_id)),
            ("signal", Some(name)) => Target::Signal { batch: target_id, name },
            _ => Target::Batch(target_id),
        };
        Ok(Self {
            place,
            id,
            position,
            target,
            // A CHECK of the table allows no other word.
            needs: Needs::from_stored(columns.read()?).unwrap_or_default(),
            otherwise: Otherwise::from_stored(columns.read()?).unwrap_or(Otherwise::DeadLetter),
            state: DependencyState::from_stored(columns.read()?).unwrap_or(DependencyState::Waiting),
            timeout_at: columns.optional_instant()?,
            is_revived: false,
        })
    }

    pub(super) fn change(&self, known: &Known) -> Option<Change> {
        let has_passed = self.timeout_at.is_some_and(|at| at <= known.now);
        let is_signal = matches!(self.target, Target::Signal { .. });
        match (self.state, self.settled(known, has_passed)) {
            (DependencyState::Waiting, DependencySettled::Over(state)) => Some(Change::Over(state)),
            // A person who retries a job may retry next what it waits for.
            (DependencyState::Waiting, DependencySettled::GivenUp(_))
                if !is_signal && self.timeout_at.is_some() && !has_passed =>
            {
                None
            }
            (DependencyState::Waiting, DependencySettled::GivenUp(status)) => {
                Some(Change::GivenUp { status, reason: self.reason(known) })
            }
            (DependencyState::Waiting, DependencySettled::Waits) => {
                let is_retried = !is_signal && self.timeout_at.is_some();
                (is_retried || has_passed).then_some(Change::WaitsOn)
            }
            (DependencyState::Failed, _) => self.is_revived.then_some(Change::Revived),
            (DependencyState::Met | DependencyState::Passed, _) => None,
        }
    }

    fn settled(&self, known: &Known, has_passed: bool) -> DependencySettled {
        let Self { needs, otherwise, .. } = *self;
        match &self.target {
            Target::Job(id) => settle_dependency(needs, otherwise, AwaitedState::of_job(known.jobs.get(id).copied())),
            Target::Batch(id) => {
                settle_dependency(needs, otherwise, AwaitedState::of_batch(known.batches.get(id).copied()))
            }
            Target::Signal { batch, name } => {
                let has_come = known.signals.contains(&(*batch, name.clone()));
                let awaited = match (has_come, has_passed) {
                    (true, _) => AwaitedState::Completed,
                    (false, true) => AwaitedState::Failed,
                    (false, false) => AwaitedState::Open,
                };
                settle_dependency(Needs::Completed, otherwise, awaited)
            }
        }
    }

    fn reason(&self, known: &Known) -> String {
        match &self.target {
            Target::Job(id) => job_failed(*id, known.jobs.get(id).copied()).to_string(),
            Target::Batch(id) => {
                let status = known.batches.get(id).copied();
                DeadLetterReason::BatchEnded { batch: BatchId(*id), status }.to_string()
            }
            Target::Signal { batch, name } => signal_missed(BatchId(*batch), name),
        }
    }
}
