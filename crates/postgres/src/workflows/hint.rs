use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// Something that must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hint {
    pub(crate) kind: HintKind,
    /// The id of the job or the batch.
    pub(crate) target: i64,
    /// Only what is behind this job.
    pub(crate) after: Option<i64>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HintKind {
    /// A job that has ended, was retried or was deleted: its batch and its dependents.
    Job,
    /// A batch: its counts and its dependents.
    Batch,
    /// The signals of a batch: their dependents.
    Signal,
    /// A job that was retried: those that were given up because of it.
    JobRevives,
    /// A batch that was opened again: the same.
    BatchRevives,
    /// A job: what it waits for itself.
    Waits,
}

impl HintKind {
    const ALL: [Self; 6] = [Self::Job, Self::Batch, Self::Signal, Self::JobRevives, Self::BatchRevives, Self::Waits];

    /// The word in SQL.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Batch => "batch",
            Self::Signal => "signal",
            Self::JobRevives => "job_revives",
            Self::BatchRevives => "batch_revives",
            Self::Waits => "waits",
        }
    }

    /// What the dependencies on it name as their kind.
    pub(crate) const fn dependency_kind(self) -> &'static str {
        match self {
            Self::Job | Self::JobRevives | Self::Waits => "job",
            Self::Batch | Self::BatchRevives => "batch",
            Self::Signal => "signal",
        }
    }

    /// Whether jobs that were given up because of it come back.
    pub(crate) const fn revives(self) -> bool {
        matches!(self, Self::JobRevives | Self::BatchRevives)
    }

    pub(crate) fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Hint {
    pub(crate) const fn job(id: i64) -> Self {
        Self { kind: HintKind::Job, target: id, after: None }
    }

    pub(crate) const fn batch(id: i64) -> Self {
        Self { kind: HintKind::Batch, target: id, after: None }
    }

    pub(crate) const fn batch_revives(id: i64) -> Self {
        Self { kind: HintKind::BatchRevives, target: id, after: None }
    }

    pub(crate) const fn signal(batch: i64) -> Self {
        Self { kind: HintKind::Signal, target: batch, after: None }
    }

    pub(crate) const fn waits(job: i64) -> Self {
        Self { kind: HintKind::Waits, target: job, after: None }
    }
}

/// The columns of `workflows/insert_unsettled.sql`.
#[derive(Debug, Default)]
pub(crate) struct HintColumns {
    kinds: Vec<&'static str>,
    targets: Vec<i64>,
    afters: Vec<Option<i64>>,
}

impl HintColumns {
    pub(crate) fn of(hints: &[Hint]) -> Self {
        Self {
            kinds: hints.iter().map(|hint| hint.kind.as_str()).collect(),
            targets: hints.iter().map(|hint| hint.target).collect(),
            afters: hints.iter().map(|hint| hint.after).collect(),
        }
    }

    pub(crate) fn parameters(&self) -> [Parameter<'_>; 3] {
        [(&self.kinds, Type::TEXT_ARRAY), (&self.targets, Type::INT8_ARRAY), (&self.afters, Type::INT8_ARRAY)]
    }
}

/// Appends hints.
pub(crate) async fn put(session: &Session, hints: &[Hint]) -> Result<(), Fault> {
    if !hints.is_empty() {
        session.execute(sql!("workflows/insert_unsettled"), &HintColumns::of(hints).parameters()).await?;
    }
    Ok(())
}
