use std::collections::BTreeMap;

use longshore_core::{
    ClaimNumber, Fence, JobId, MinuteStats, MoveChange, MoveState, MovedJob, MovedJobsRequest, MovedPart,
    MovedSettings, Moving, NameBounds, Status, StoreError, StoreFuture, Timestamp,
};

use crate::memory::MemoryStore;
use crate::memory::jobs::row::{LeftOut, Row};
use crate::memory::state::State;
use crate::memory::stats::MinuteCounts;

/// Which fence of a move lets a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// None.
    Never,
    /// The one that waits for running attempts.
    WhileDraining,
}

impl State {
    /// An error while the fence of a move refuses such a call.
    pub(super) fn pass(&self, passing: Passing) -> Result<(), StoreError> {
        let Some(state) = &self.moving else { return Ok(()) };
        match (state.phase.fence(), passing) {
            (Fence::Open, _) | (Fence::Draining, Passing::WhileDraining) => Ok(()),
            _ => Err(state.refusal().expect("a fence that is not open refuses")),
        }
    }

    fn change_move_state(&mut self, MoveChange { expected, next }: MoveChange) -> bool {
        let is_expected = self.moving == expected;
        if is_expected {
            self.moving = next;
        }
        is_expected
    }

    fn moved_settings(&self) -> MovedSettings {
        let minutes = self.minutes.iter().map(|((minute, queue), counts)| MinuteStats {
            minute: Timestamp::from_ms(minute * 60_000),
            queue: queue.clone(),
            completed: counts.completed,
            failed: counts.failed,
            retried: counts.retried,
            cancelled: counts.cancelled,
            waited_ms: counts.waited_ms,
            ran_ms: counts.ran_ms,
        });
        MovedSettings {
            last_id: self.last_id,
            history_last_id: self.history_last_id,
            types: self.settings.values().cloned().collect(),
            queues: self.queues.clone(),
            minutes: minutes.collect(),
            schedules: self.calendar.rows.values().cloned().collect(),
            limits: self.limit_book.moved(),
            limit_keys: self.limit_book.moved_keys(),
            ticks: self.moved_ticks(),
            batches: self.moved_batches(),
            signals: self.moved_signals(),
            tokens: self.moved_tokens(),
        }
    }

    fn moved_jobs(&self, request: MovedJobsRequest) -> Vec<MovedJob> {
        let MovedJobsRequest { after, jobs_max, bytes_max, takes_ended } = request;
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        for row in self.rows.values().filter(|row| row.job.id > after && self.moves(row, takes_ended)) {
            if jobs.len() == jobs_max as usize || bytes >= bytes_max {
                break;
            }
            let (member, dependencies) = self.moved_place(row.job.id);
            let mut moved = MovedJob { member, dependencies, ..row.moved() };
            let parent = row.job.parent_job_id.and_then(|parent| self.rows.get(&parent));
            moved.job.parent_job_id =
                parent.filter(|parent| self.moves(parent, takes_ended)).map(|parent| parent.job.id);
            bytes += moved.size();
            jobs.push(moved.normal());
        }
        jobs
    }

    fn moves(&self, row: &Row, takes_ended: bool) -> bool {
        let id = row.job.id;
        let waits_for_it = |other: &Row| other.job.status == Status::Blocked && other.job.parent_job_id == Some(id);
        takes_ended
            || !matches!(row.job.status, Status::Completed | Status::Cancelled)
            || self.rows.values().any(waits_for_it)
            || self.is_awaited_by_one_that_moves(id)
    }

    fn keep_moved(&mut self, change: MoveChange, part: MovedPart) -> bool {
        if !self.change_move_state(change) {
            return false;
        }
        match part {
            MovedPart::Settings(settings) => self.keep_settings(*settings),
            MovedPart::Jobs(jobs) => jobs.into_iter().for_each(|moved| self.keep_job(moved)),
        }
        true
    }

    fn keep_settings(&mut self, settings: MovedSettings) {
        let MovedSettings {
            last_id,
            history_last_id,
            types,
            queues,
            minutes,
            limits,
            limit_keys,
            schedules,
            ticks,
            batches,
            signals,
            tokens,
        } = settings;
        self.keep_batches(batches, signals);
        self.limit_book.replace(limits, limit_keys);
        self.replace_tokens(tokens);
        self.calendar.replace(schedules, ticks);
        self.last_id = self.last_id.max(last_id);
        self.history_last_id = self.history_last_id.max(history_last_id);
        self.settings = types.into_iter().map(|of_type| (of_type.job_type.clone(), of_type)).collect();
        self.queues.values_mut().for_each(|paused_at| *paused_at = None);
        self.queues.extend(queues);
        self.minutes = BTreeMap::new();
        for of in minutes {
            let counts = MinuteCounts {
                completed: of.completed,
                failed: of.failed,
                retried: of.retried,
                cancelled: of.cancelled,
                waited_ms: of.waited_ms,
                ran_ms: of.ran_ms,
            };
            self.minutes.insert((of.minute.minute(), of.queue), counts);
        }
    }

    fn keep_job(&mut self, mut moved: MovedJob) {
        let id = moved.job.id;
        self.keep_place(id, moved.member.take(), std::mem::take(&mut moved.dependencies));
        self.last_id = self.last_id.max(id.0);
        self.queues.entry(moved.job.queue.clone()).or_default();
        let replaced = self.rows.insert(id, Row::arrived(moved));
        assert!(replaced.is_none(), "job {id} was there");
        self.resolve_retries(id);
    }

    fn drop_moved(&mut self, expected: &MoveState, ids: &[JobId]) -> bool {
        if self.moving.as_ref() != Some(expected) {
            return false;
        }
        for id in ids {
            self.rows.remove(id);
            self.drop_place(*id);
        }
        let Self { rows, .. } = self;
        let there: Vec<JobId> = rows.keys().copied().collect();
        for row in rows.values_mut() {
            row.job.parent_job_id = row.job.parent_job_id.filter(|parent| there.binary_search(parent).is_ok());
        }
        true
    }
}

impl Row {
    fn moved(&self) -> MovedJob {
        MovedJob {
            job: self.job.clone(),
            own_retries: self.own_retries,
            waits_for_instant: self.due.is_some(),
            blocked_since: Some(self.ready_at),
            has_passed_key: self.has_passed_key,
            lapsed_worker: self.lapsed.clone(),
            awaits_settings: self.awaits_settings.map(|left| u8::from(left.queue) + 2 * u8::from(left.priority)),
            attempts: self.attempts.values().cloned().collect(),
            log: self.log.values().cloned().collect(),
            checkpoints: self.checkpoints.values().cloned().collect(),
            member: None,
            dependencies: Vec::new(),
        }
    }

    fn arrived(moved: MovedJob) -> Self {
        // Every field is listed, so that a new one cannot be forgotten.
        let MovedJob {
            job,
            own_retries,
            waits_for_instant,
            blocked_since,
            has_passed_key,
            lapsed_worker,
            awaits_settings,
            attempts,
            log,
            checkpoints,
            // They are kept beside the rows.
            member: _,
            dependencies: _,
        } = moved;
        let mut row = Self::holding(job);
        row.due = waits_for_instant.then_some(row.job.run_at);
        row.ready_at = blocked_since.unwrap_or(row.job.run_at);
        row.own_retries = own_retries;
        row.has_passed_key = has_passed_key;
        row.lapsed = lapsed_worker;
        row.awaits_settings = awaits_settings.map(|left| LeftOut { queue: left & 1 != 0, priority: left & 2 != 0 });
        row.attempts = attempts.into_iter().map(|attempt| (attempt.claim_number, attempt)).collect();
        let place = |claim: ClaimNumber, chunk: u32| (claim, chunk);
        row.log = log.into_iter().map(|entry| (place(entry.claim_number, entry.chunk_number), entry)).collect();
        row.checkpoints =
            checkpoints.into_iter().map(|saved| (saved.step.clone().unwrap_or_default(), saved)).collect();
        row
    }
}

impl Moving for MemoryStore {
    fn move_state(&self) -> StoreFuture<'_, Option<MoveState>> {
        self.quietly(|state, _| Ok(state.moving.clone()))
    }

    fn change_move_state(&self, change: MoveChange) -> StoreFuture<'_, bool> {
        self.loudly(move |state, _| Ok(state.change_move_state(change)))
    }

    fn moved_settings(&self) -> StoreFuture<'_, MovedSettings> {
        self.quietly(|state, _| Ok(state.moved_settings()))
    }

    fn moved_jobs(&self, request: MovedJobsRequest) -> StoreFuture<'_, Vec<MovedJob>> {
        self.quietly(move |state, _| Ok(state.moved_jobs(request)))
    }

    fn keep_moved(&self, change: MoveChange, part: MovedPart) -> StoreFuture<'_, bool> {
        self.quietly(move |state, _| Ok(state.keep_moved(change, part)))
    }

    fn drop_moved(&self, expected: MoveState, ids: Vec<JobId>) -> StoreFuture<'_, bool> {
        self.quietly(move |state, _| Ok(state.drop_moved(&expected, &ids)))
    }

    fn name_bounds(&self) -> NameBounds {
        NameBounds::NONE
    }
}
