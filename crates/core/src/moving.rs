pub(crate) mod checksum;
pub(crate) mod job;
pub(crate) mod limit;
pub(crate) mod name_bounds;
pub(crate) mod state;
pub(crate) mod workflow;

use std::collections::BTreeMap;

use crate::{
    BatchRecord, Console, JobId, MinuteStats, MoveState, MovedJob, MovedLimit, MovedLimitKey, MovedSignal, NameBounds,
    ScheduleRow, Store, StoreFuture, Tick, Timestamp, TokenHash, TypeSettings,
};

/// A database that jobs can be moved out of, or into, while other processes use it.
///
/// The database keeps a [`MoveState`]. As long as that says so, a fence refuses what others write: see
/// [`MovePhase::fence`](crate::MovePhase::fence). It holds against every process, also against plain SQL, from the
/// commit of the state on, and a refusal is [`StoreError::Moving`](crate::StoreError::Moving). Whoever carries out the
/// move writes with [`Moving::keep_moved`] and [`Moving::drop_moved`] alone, which pass the fence and fail without any
/// effect if the state is not the expected one any more: so of two processes that move the same database, one loses.
pub trait Moving: Store + Console {
    /// The move that this database is or was part of. Only reads.
    fn move_state(&self) -> StoreFuture<'_, Option<MoveState>>;

    /// Replaces the state, and puts up, changes or removes the fence in the same transaction. Returns whether the state
    /// was the expected one; otherwise nothing has changed.
    fn change_move_state(&self, change: MoveChange) -> StoreFuture<'_, bool>;

    /// All that moves beside the jobs. Only reads.
    fn moved_settings(&self) -> StoreFuture<'_, MovedSettings>;

    /// The next jobs that move, by id: all that have not ended, dead letters, jobs that a blocked one waits for, jobs that one of
    /// these waits or waited for by its workflow, and on request the other ended ones. At least one, if there is one. Only reads.
    ///
    /// A parent that does not move itself is left out of its children.
    fn moved_jobs(&self, request: MovedJobsRequest) -> StoreFuture<'_, Vec<MovedJob>>;

    /// Writes a part of what moves, and the state that says so, in one transaction. Returns whether the state was the
    /// expected one; otherwise nothing has changed. None of the jobs may exist. New ids and new claim numbers are higher
    /// than all that were moved.
    fn keep_moved(&self, change: MoveChange, part: MovedPart) -> StoreFuture<'_, bool>;

    /// Deletes these jobs, with all that belongs to them, whatever their state is; those that do not exist are skipped.
    /// Returns whether the state was the expected one; otherwise nothing has changed.
    fn drop_moved(&self, expected: MoveState, ids: Vec<JobId>) -> StoreFuture<'_, bool>;

    /// The longest names of jobs that can arrive. Asks nobody.
    fn name_bounds(&self) -> NameBounds;
}

/// A change of the state of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveChange {
    /// What the state must be.
    pub expected: Option<MoveState>,
    /// What it becomes.
    pub next: Option<MoveState>,
}

/// A request for the next jobs that move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedJobsRequest {
    /// Only jobs with a higher id.
    pub after: JobId,
    /// The maximum number of jobs.
    pub jobs_max: u32,
    /// About how many bytes of payloads, results and logs: the page ends with the job that passes this.
    pub bytes_max: usize,
    /// Whether completed and cancelled jobs move, too.
    pub takes_ended: bool,
}

/// A part of what moves.
///
/// What moves is listed here and nowhere else: a new table is a field of [`MovedSettings`] or [`MovedJob`], or a variant
/// here if it is too large for one transaction, and no backend compiles without it.
#[derive(Clone, Debug, PartialEq)]
pub enum MovedPart {
    /// All that is not a job.
    Settings(Box<MovedSettings>),
    /// Some jobs, by id.
    Jobs(Vec<MovedJob>),
}

/// An access token. Only its hash is kept anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedToken {
    /// Its name.
    pub name: String,
    /// Its hash.
    pub hash: TokenHash,
    /// Its rights, as words without spaces.
    pub scopes: Vec<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// All that moves beside the jobs. The audit trail does not: it says what people did in the database that has it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MovedSettings {
    /// The last id that was given to a job. New ids are higher.
    pub last_id: i64,
    /// Ended jobs up to this id were there before there was a default retention.
    pub history_last_id: i64,
    /// The settings of each type from its last registration, by type.
    pub types: Vec<TypeSettings>,
    /// Every queue that is or was used, and since when it is paused.
    pub queues: BTreeMap<String, Option<Timestamp>>,
    /// What ended in each minute, by minute and queue.
    pub minutes: Vec<MinuteStats>,
    /// The limits, by subject, and the types that are closed. Turns begin anew.
    pub limits: Vec<MovedLimit>,
    /// What the rates of keys have spent, in the form of [`MovedLimitKey::normal`].
    pub limit_keys: Vec<MovedLimitKey>,
    /// The schedules, by name.
    pub schedules: Vec<ScheduleRow>,
    /// The newest [`TickRetention::MOVED`](crate::TickRetention::MOVED) ticks of each schedule, also of those that were
    /// removed: by schedule, newest first.
    pub ticks: Vec<Tick>,
    /// The batches, by id.
    pub batches: Vec<BatchRecord>,
    /// The signals to them, by batch and name.
    pub signals: Vec<MovedSignal>,
    /// The access tokens, by name. They take the place of those that are there.
    pub tokens: Vec<MovedToken>,
}
