use crate::{ClaimNumber, Hint, Interest, JobId, WorkerId};

/// Beyond this many kinds of job, or requests to cancel, one commit only says that there may be any.
const KINDS_MAX: usize = 16;
const CANCELLATIONS_MAX: usize = 256;

/// What a commit made possible, for those who wait for it: rather too much than too little.
#[derive(Debug, Default)]
pub struct Changes {
    /// The jobs that may be found, now or when they come due.
    pub jobs: Known<JobKind>,
    /// The requests to end running jobs.
    pub cancellations: Known<Cancellation>,
    /// Whether schedules may be due at other instants than before.
    pub schedules: bool,
}

/// What is known of changes of one sort.
#[derive(Debug)]
pub enum Known<T> {
    /// These and no others.
    Only(Vec<T>),
    /// There may be any.
    Any,
}

/// A type and a queue of jobs that a worker may find.
#[derive(Debug, PartialEq, Eq)]
pub struct JobKind {
    /// `None` where it is not known.
    pub job_type: Option<String>,
    /// The queue.
    pub queue: String,
}

/// A request to end a running job.
#[derive(Clone, Debug)]
pub struct Cancellation {
    /// The worker that runs it.
    pub worker_id: WorkerId,
    /// The attempt.
    pub job: (JobId, ClaimNumber),
}

impl Changes {
    /// Nobody knows what has changed.
    pub const fn unknown() -> Self {
        Self { jobs: Known::Any, cancellations: Known::Any, schedules: true }
    }

    /// Whether nobody need be told.
    pub fn is_empty(&self) -> bool {
        let is_known = matches!((&self.jobs, &self.cancellations), (Known::Only(jobs), Known::Only(asked)) if jobs.is_empty() && asked.is_empty());
        is_known && !self.schedules
    }

    /// Jobs of this type in this queue may be found, now or when they come due.
    pub fn add_job(&mut self, job_type: Option<&str>, queue: &str) {
        let Known::Only(kinds) = &mut self.jobs else { return };
        // Nearly always the one that came last.
        let is_known = |kind: &JobKind| kind.queue == queue && kind.job_type.as_deref() == job_type;
        if kinds.iter().rev().any(is_known) {
            return;
        }
        kinds.push(JobKind { job_type: job_type.map(str::to_owned), queue: queue.to_owned() });
        self.jobs.bound(KINDS_MAX);
    }

    /// The end of a running job of this worker was asked for.
    pub fn add_cancellation(&mut self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) {
        if let Known::Only(cancellations) = &mut self.cancellations {
            cancellations.push(Cancellation { worker_id, job: (id, claim_number) });
            self.cancellations.bound(CANCELLATIONS_MAX);
        }
    }

    /// Adds those of another part of the commit, or of another commit.
    pub fn merge(&mut self, other: Self) {
        self.schedules |= other.schedules;
        match (&mut self.jobs, other.jobs) {
            (Known::Only(kinds), Known::Only(more)) => {
                more.into_iter().for_each(|kind| {
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                });
                self.jobs.bound(KINDS_MAX);
            }
            (jobs, _) => *jobs = Known::Any,
        }
        match (&mut self.cancellations, other.cancellations) {
            (Known::Only(asked), Known::Only(more)) => {
                asked.extend(more);
                self.cancellations.bound(CANCELLATIONS_MAX);
            }
            (cancellations, _) => *cancellations = Known::Any,
        }
    }

    /// What a subscriber is told, if anything.
    pub fn hint_for(&self, interest: &Interest) -> Option<Hint> {
        match interest {
            Interest::Anything => Some(Hint::Anything),
            Interest::Schedules => self.schedules.then_some(Hint::Anything),
            Interest::Jobs { job_types, scope } => match &self.jobs {
                Known::Any => Some(Hint::Anything),
                Known::Only(kinds) => {
                    let is_meant = |kind: &JobKind| {
                        kind.job_type.as_ref().is_none_or(|known| job_types.contains(known))
                            && scope.includes(&kind.queue)
                    };
                    kinds.iter().any(is_meant).then_some(Hint::Jobs)
                }
            },
            Interest::Cancellations { worker_id } => match &self.cancellations {
                Known::Any => Some(Hint::Anything),
                Known::Only(cancellations) => {
                    let own = cancellations.iter().filter(|asked| asked.worker_id == *worker_id);
                    let jobs: Vec<_> = own.map(|asked| asked.job).collect();
                    (!jobs.is_empty()).then_some(Hint::Cancellations(jobs))
                }
            },
        }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl<T> Known<T> {
    /// These, if they are known; `None` for any.
    pub fn only<U>(&self, of: impl Fn(&T) -> U) -> Option<Vec<U>> {
        match self {
            Self::Only(known) => Some(known.iter().map(of).collect()),
            Self::Any => None,
        }
    }

    /// The reverse of [`Known::only`].
    pub fn from_only(known: Option<impl Iterator<Item = T>>) -> Self {
        known.map_or(Self::Any, |known| Self::Only(known.collect()))
    }

    fn bound(&mut self, max: usize) {
        if matches!(self, Self::Only(known) if known.len() > max) {
            *self = Self::Any;
        }
    }
}

/// The two as one hint.
pub(super) fn joined(first: Hint, second: Hint) -> Hint {
    match (first, second) {
        (Hint::Jobs, Hint::Jobs) => Hint::Jobs,
        (Hint::Cancellations(mut jobs), Hint::Cancellations(more)) if jobs.len() + more.len() <= CANCELLATIONS_MAX => {
            jobs.extend(more);
            Hint::Cancellations(jobs)
        }
        _ => Hint::Anything,
    }
}
