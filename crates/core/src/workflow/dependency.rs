use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{BatchId, BatchStatus, JobData, JobId, Status, Timestamp};

/// Which end of a job or a batch is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// That it completes.
    #[default]
    Completed,
    /// That it ends, however.
    Ended,
    /// That it ends and has not completed.
    Failed,
}

impl Needs {
    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    /// Parses the word that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        [Self::Completed, Self::Ended, Self::Failed].into_iter().find(|needs| needs.as_str() == word)
    }

    /// What becomes of a job when what it needs can no longer happen, unless it says otherwise itself.
    pub const fn default_otherwise(self) -> Otherwise {
        match self {
            Self::Failed => Otherwise::Cancel,
            Self::Completed | Self::Ended => Otherwise::DeadLetter,
        }
    }
}

/// What becomes of a waiting job when what it needs can no longer happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It becomes a dead letter.
    DeadLetter,
    /// It is cancelled.
    Cancel,
    /// It no longer waits for this.
    Run,
    /// It waits on: a retry may still bring what it needs, or the signal may come late.
    Wait,
}

impl Otherwise {
    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Cancel => "cancel",
            Self::Run => "run",
            Self::Wait => "wait",
        }
    }

    /// Parses the word that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        [Self::DeadLetter, Self::Cancel, Self::Run, Self::Wait].into_iter().find(|word_of| word_of.as_str() == word)
    }
}

/// What a new job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A job that exists.
    Job(JobId),
    /// A job of the same workflow that comes before it, by its reference.
    Reference(String),
    /// The batch of the workflow. Such a job is a callback.
    Batch,
    /// A signal to the batch of the workflow.
    Signal {
        /// Its name.
        name: String,
        /// How long it is waited for, from the enqueue on. None for ever.
        timeout: Option<Duration>,
    },
}

impl Awaited {
    /// Its name among the dependencies of the job, where the job finds the result. A job with a reference is found by its
    /// id too, unless another dependency has that name.
    pub fn name(&self) -> String {
        match self {
            Self::Job(job) => job.to_string(),
            Self::Reference(reference) => reference.clone(),
            Self::Batch => "batch".to_owned(),
            Self::Signal { name, .. } => name.clone(),
        }
    }
}

/// A dependency of a new job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDependency {
    /// What it waits for.
    pub awaited: Awaited,
    /// Which end. Means nothing for a signal.
    pub needs: Needs,
    /// What becomes of the job when that can no longer happen.
    pub otherwise: Otherwise,
}

impl NewDependency {
    /// Waits for the completion.
    pub const fn on(awaited: Awaited) -> Self {
        Self::needing(awaited, Needs::Completed)
    }

    /// Waits for this end.
    pub const fn needing(awaited: Awaited, needs: Needs) -> Self {
        Self { awaited, needs, otherwise: needs.default_otherwise() }
    }

    /// Sets what becomes of the job when that can no longer happen.
    #[must_use]
    pub const fn or_else(mut self, otherwise: Otherwise) -> Self {
        self.otherwise = otherwise;
        self
    }
}

/// Where a dependency of a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyState {
    /// What the job needs has not happened.
    Waiting,
    /// It has happened.
    Met,
    /// It can no longer happen, and the job no longer waits for it ([`Otherwise::Run`]).
    Passed,
    /// It can no longer happen, and the job was given up because of it. A retry of what it waited for revives the job.
    Failed,
}

impl DependencyState {
    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Met => "met",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    /// Parses the word that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Met, Self::Passed, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the job waits for it no longer.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Met | Self::Passed)
    }
}

/// A dependency of a job as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dependency {
    /// The name that the job's workflow gave to the job that it waits for.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What it waits for.
    #[serde(flatten)]
    pub on: DependencyTarget,
    /// Which end.
    pub needs: Needs,
    /// What becomes of the job when that can no longer happen.
    pub otherwise: Otherwise,
    /// Where it is.
    pub state: DependencyState,
    /// Until when a signal is waited for, or a job that was retried alone waits for what had failed before.
    pub timeout_at: Option<Timestamp>,
    /// The result of the job, or the data of the signal. None unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<JobData>,
    /// Whether the result was left out, because the results together are larger than what was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_result_left_out: bool,
}

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DependencyTarget {
    /// A job.
    Job {
        /// Its id.
        job_id: JobId,
        /// Its status; none if it was deleted.
        status: Option<Status>,
    },
    /// Its own batch.
    Batch {
        /// The batch.
        batch_id: BatchId,
        /// Where it is; none if it was deleted.
        batch_status: Option<BatchStatus>,
    },
    /// A signal to its batch.
    Signal {
        /// Its name.
        signal: String,
    },
}

impl Dependency {
    /// The parent of a job as a dependency. `is_blocked` says whether the job still waits for it.
    pub fn of_parent(parent: JobId, status: Option<Status>, is_blocked: bool) -> Self {
        let state = match status {
            _ if is_blocked => DependencyState::Waiting,
            Some(status) if status.is_ended() && status != Status::Completed => DependencyState::Failed,
            _ => DependencyState::Met,
        };
        Self {
            reference: None,
            on: DependencyTarget::Job { job_id: parent, status },
            needs: Needs::Completed,
            otherwise: Otherwise::DeadLetter,
            state,
            timeout_at: None,
            result: None,
            is_result_left_out: false,
        }
    }

    /// Whether this is its name: its reference, the name of its signal, or the id of its job.
    pub fn is_named(&self, name: &str) -> bool {
        let is_target = match &self.on {
            DependencyTarget::Job { job_id, .. } => name.parse() == Ok(*job_id),
            DependencyTarget::Signal { signal } => signal == name,
            DependencyTarget::Batch { .. } => false,
        };
        self.reference.as_deref() == Some(name) || self.reference.is_none() && is_target
    }

    /// Gives it its result, as long as no more than so many bytes were given before; returns what is left of them.
    pub fn give(&mut self, result: Option<JobData>, bytes_left: usize) -> usize {
        let Some(result) = result else { return bytes_left };
        if result.len() > bytes_left {
            self.is_result_left_out = true;
            return bytes_left;
        }
        let left = bytes_left - result.len();
        self.result = Some(result);
        left
    }
}
