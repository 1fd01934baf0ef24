use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use longshore_core::{InvalidCheckpoint, InvalidJobData, JobData, NewCheckpoint, Recorded, StepName, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::runtime::{alarm, park, quiet};
use crate::worker::trouble::Patience;
use crate::{CurrentAttempt, HandlerError, StopCause, Stopped};

/// Why a checkpoint or the result of a step was not stored or cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The value or the name cannot be stored.
    #[error(transparent)]
    Invalid(#[from] InvalidCheckpoint),
    /// The stored checkpoint is not of the type that the handler expects.
    #[error("the stored checkpoint is not of the expected type; `jobs retry --from-start` forgets it")]
    OtherCheckpoint {
        /// What does not fit.
        source: InvalidJobData,
    },
    /// The stored result of a step is not of the type that the handler expects.
    #[error("the stored result of step {step:?} is not of the expected type; `jobs retry --from-start` forgets it")]
    OtherResult {
        /// The step.
        step: String,
        /// What does not fit.
        source: InvalidJobData,
    },
    /// The attempt has lost its job or has ended. The handler must stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The handler has already completed the job in its own transaction.
    #[error("the handler has completed the job already, so no checkpoint is stored")]
    Completed,
    /// The database refuses it.
    #[error("the database refuses the checkpoint: {reason}")]
    Refused {
        /// What the database said.
        reason: Arc<str>,
    },
    /// The database cannot be used, and waiting does not help.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pause between two tries cannot be measured.
    #[error("no thread can be started to wait for the database: {0}")]
    Timer(#[source] std::io::Error),
}

/// What an attempt has stored.
#[derive(Debug, Default)]
pub(crate) struct AttemptCheckpoints {
    last: Mutex<Option<JobData>>,
    steps: Mutex<HashMap<StepName, Turn>>,
    /// The steps that run now or have finished in this attempt.
    new_steps: AtomicU32,
}

/// Of two callers of one step, the second waits for the first.
type Turn = Arc<tokio::sync::Mutex<IsStored>>;

/// Whether there is a result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IsStored {
    No,
    /// An earlier attempt may have stored it.
    Perhaps,
    Yes,
}

impl AttemptCheckpoints {
    fn last(&self) -> MutexGuard<'_, Option<JobData>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last checkpoint that the attempt itself has stored.
    pub(crate) fn last_own(&self) -> Option<JobData> {
        self.last().clone()
    }

    fn turn(&self, step: &StepName, step_count: u32) -> Result<Turn, InvalidCheckpoint> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = steps.get(step) {
            return Ok(Arc::clone(turn));
        }
        // Steps that failed count here, too, so that the names of an attempt are bounded.
        if steps.len() >= NewCheckpoint::STEPS_MAX as usize {
            return Err(InvalidCheckpoint::TooManySteps);
        }
        let is_stored = if step_count > 0 { IsStored::Perhaps } else { IsStored::No };
        let turn = Arc::new(tokio::sync::Mutex::new(is_stored));
        steps.insert(step.clone(), Arc::clone(&turn));
        Ok(turn)
    }

    fn reserve(&self, step_count: u32) -> Result<StepPlace<'_>, InvalidCheckpoint> {
        let place = StepPlace { new_steps: &self.new_steps, is_used: false };
        let before = self.new_steps.fetch_add(1, Ordering::AcqRel);
        if step_count.saturating_add(before) >= NewCheckpoint::STEPS_MAX {
            return Err(InvalidCheckpoint::TooManySteps);
        }
        Ok(place)
    }
}

/// One of the steps that a job may have, given back unless its result was stored.
struct StepPlace<'a> {
    new_steps: &'a AtomicU32,
    is_used: bool,
}

impl Drop for StepPlace<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            self.new_steps.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The checkpoints of an attempt without a worker.
#[derive(Debug, Default)]
pub(crate) struct ProbedCheckpoints {
    last: Mutex<Option<JobData>>,
    steps: Mutex<BTreeMap<String, JobData>>,
}

impl CurrentAttempt {
    /// Stores where the attempt stands, so that the next attempt of the job continues from there: after a failure, a
    /// crash, a shutdown or a snooze. It replaces the checkpoint before. At most 64 KiB of JSON.
    ///
    /// After Ok it is committed. While the database cannot be used, this waits and tries again. Err with
    /// [`CheckpointError::Stopped`] means that the job was lost: return it with `?`.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # async fn import_page(_: u32) -> Result<bool, HandlerError> { Ok(false) }
    /// async fn import(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    ///     let mut page: u32 = attempt.last_checkpoint()?.unwrap_or(0);
    ///     while import_page(page).await? {
    ///         page += 1;
    ///         attempt.checkpoint(&page).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn checkpoint<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CheckpointError> {
        self.save_checkpoint(NewCheckpoint::value(value)?).await
    }

    /// [`CurrentAttempt::checkpoint`] for a handler that blocks.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// fn import(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    ///     for page in attempt.last_checkpoint()?.unwrap_or(0)..10 {
    ///         // Import the page.
    ///         attempt.checkpoint_blocking(&(page + 1))?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn checkpoint_blocking<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CheckpointError> {
        park::block_on(self.checkpoint(value))
    }

    /// The last checkpoint: of this attempt, else of an earlier one. `None` if there is none. Reads nothing from the
    /// database.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let next_page: u32 = attempt.last_checkpoint()?.unwrap_or(0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, CheckpointError> {
        let last = self.own_checkpoints().last().clone().or_else(|| self.lease().checkpoint.clone());
        let decoded = last.map(|last| last.decode()).transpose();
        decoded.map_err(|source| CheckpointError::OtherCheckpoint { source })
    }

    /// Runs a named step once for the job. Its result is stored, and whoever calls the step again, in this attempt or
    /// a later one, gets that result and `run` is not called. If `run` fails, nothing is stored and the error passes on.
    ///
    /// If the process dies after the effect of `run` and before its result is stored, the step runs again: an effect
    /// happens at least once, and every later attempt sees the one stored result. Of two calls of one step at the same
    /// time the second waits for the first. A name has at most 200 bytes, a result 64 KiB of JSON, and a job 1000 steps.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # async fn charge() -> Result<String, std::io::Error> { Ok("receipt".into()) }
    /// # async fn mail(_: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// async fn sell(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    ///     let receipt: String = attempt.step("charge", || async { Ok(charge().await?) }).await?;
    ///     attempt.step("mail", || async { Ok(mail(&receipt).await?) }).await
    /// }
    /// ```
    pub async fn step<T, F, Fut>(&self, name: &str, run: F) -> Result<T, HandlerError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, HandlerError>>,
    {
        let step = StepName::new(name).map_err(CheckpointError::from)?;
        let turn = self.own_checkpoints().turn(&step, self.lease().step_count).map_err(CheckpointError::from)?;
        let mut is_stored = turn.lock().await;
        if *is_stored != IsStored::No {
            if let Some(result) = self.stored_result(&step).await? {
                *is_stored = IsStored::Yes;
                return Ok(decode(&step, &result)?);
            }
            *is_stored = IsStored::No;
        }
        self.require_job().map_err(CheckpointError::from)?;
        // Before the effect, so that no step runs whose result cannot be stored.
        let mut place = self.own_checkpoints().reserve(self.lease().step_count).map_err(CheckpointError::from)?;
        let result = NewCheckpoint::value(&run().await?).map_err(CheckpointError::from)?;
        // What this attempt returns is what a later one would, so that a type that is not read back is seen at once.
        let value = decode(&step, &result)?;
        self.save(Some(step), result).await?;
        (*is_stored, place.is_used) = (IsStored::Yes, true);
        Ok(value)
    }

    /// [`CurrentAttempt::step`] for a handler that blocks.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// fn build(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    ///     let text: String = attempt.step_blocking("read", || Ok(std::fs::read_to_string("/etc/hostname")?))?;
    ///     attempt.log(&text);
    ///     Ok(())
    /// }
    /// ```
    pub fn step_blocking<T, F>(&self, name: &str, run: F) -> Result<T, HandlerError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Result<T, HandlerError>,
    {
        park::block_on(self.step(name, || async { run() }))
    }

    /// Stores a checkpoint that was checked.
    pub(crate) async fn save_checkpoint(&self, value: JobData) -> Result<(), CheckpointError> {
        self.save(None, value.clone()).await?;
        *self.own_checkpoints().last() = Some(value);
        Ok(())
    }

    /// Err once the attempt has ended or has lost its job. Another stop signal leaves time to store where it stands.
    fn require_job(&self) -> Result<(), Stopped> {
        if self.is_over() || self.stop_signal().cause() == Some(StopCause::LeaseLost) {
            self.stop_signal().see();
            return Err(Stopped { cause: StopCause::LeaseLost });
        }
        Ok(())
    }

    async fn save(&self, step: Option<StepName>, value: JobData) -> Result<(), CheckpointError> {
        if let Some(probed) = self.probed() {
            probed.save(step, value);
            return Ok(());
        }
        let lease = self.lease();
        let (id, claim_number, attempt) = (lease.id, lease.claim_number, lease.attempt());
        let checkpoint = NewCheckpoint { id, claim_number, attempt, step, value };
        let call = || async {
            let recorded = self.queue().backend().save_checkpoint(self.worker_id().clone(), checkpoint.clone()).await?;
            Ok(match recorded {
                Recorded::Recorded => Tried::Answered(Ok(())),
                Recorded::Fenced => Tried::Answered(Err(self.fenced())),
                Recorded::Refused { reason } => Tried::Answered(Err(CheckpointError::Refused { reason })),
                Recorded::Unanswered { reason } => Tried::Unanswered(reason),
            })
        };
        self.patiently(call).await?
    }

    /// The job is another worker's, or the handler has ended it in its own transaction.
    fn fenced(&self) -> CheckpointError {
        if self.has_completion() {
            return CheckpointError::Completed;
        }
        // Another cause that came before stays.
        self.stop_signal().stop(StopCause::LeaseLost);
        self.stop_signal().see();
        Stopped { cause: StopCause::LeaseLost }.into()
    }

    async fn stored_result(&self, step: &StepName) -> Result<Option<JobData>, CheckpointError> {
        if let Some(probed) = self.probed() {
            return Ok(probed.steps().get(step.as_str()).cloned());
        }
        let read = || async { Ok(Tried::Answered(self.queue().backend().step_result(self.id(), step.clone()).await?)) };
        self.patiently(read).await
    }

    /// Calls the store until it fails no longer for a passing cause, as it is done with outcomes.
    async fn patiently<T, Call>(&self, mut call: impl FnMut() -> Call) -> Result<T, CheckpointError>
    where
        Call: Future<Output = Result<Tried<T>, StoreError>>,
    {
        let mut patience = Patience::default();
        let mut is_told = false;
        loop {
            self.require_job()?;
            let problem = match call().await {
                Ok(Tried::Answered(answer)) => return Ok(answer),
                Ok(Tried::Unanswered(reason)) => reason,
                Err(error) if error.is_passing() => error.to_string().into(),
                Err(error) => return Err(error.into()),
            };
            if !std::mem::replace(&mut is_told, true) {
                quiet::warning!(job_id = self.id().0, problem = &*problem, "a checkpoint waits for the database");
            }
            let pause = patience.next(fastrand::f64());
            alarm::at(Instant::now() + pause).await.map_err(CheckpointError::Timer)?;
        }
    }
}

/// The answer to a call, or that one of several databases gave none.
enum Tried<T> {
    Answered(T),
    Unanswered(Arc<str>),
}

impl ProbedCheckpoints {
    pub(crate) fn new(last: Option<JobData>, steps: BTreeMap<String, JobData>) -> Self {
        Self { last: Mutex::new(last), steps: Mutex::new(steps) }
    }

    fn save(&self, step: Option<StepName>, value: JobData) {
        match step {
            None => *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(value),
            Some(step) => drop(self.steps().entry(step.as_str().to_owned()).or_insert(value)),
        }
    }

    pub(crate) fn last(&self) -> Option<JobData> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn steps(&self) -> MutexGuard<'_, BTreeMap<String, JobData>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode<T: DeserializeOwned>(step: &StepName, result: &JobData) -> Result<T, CheckpointError> {
    result.decode().map_err(|source| CheckpointError::OtherResult { step: step.to_string(), source })
}
