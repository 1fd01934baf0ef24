use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{
    Attempt, BatchCounts, BatchRecord, FailureType, Job, JobData, LimitRule, LogEntry, MinuteStats, MovedDependency,
    MovedJob, MovedLimit, MovedLimitKey, MovedMember, MovedSettings, MovedSignal, MovedTarget, MovedToken,
    SavedCheckpoint, ScheduleRow, Status, Tick, Timestamp, TypeSettings, WaitingTick, WorkerId,
};

/// A hash over all values of jobs and settings, the same whatever database they are in.
///
/// Each value is preceded by its length, so that no two contents give the same bytes.
#[derive(Clone)]
pub struct Checksum(Sha256);

impl Default for Checksum {
    fn default() -> Self {
        Self(Sha256::new())
    }
}

impl Checksum {
    /// The checksum of one job.
    pub fn of(job: &MovedJob) -> String {
        let mut checksum = Self::default();
        checksum.add_job(job);
        checksum.finish()
    }

    /// Adds a job. The order matters.
    pub fn add_job(&mut self, moved: &MovedJob) {
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
            member,
            dependencies,
        } = moved;
        self.body(job);
        self.optional(*own_retries);
        self.number(*waits_for_instant);
        self.instant(*blocked_since);
        self.number(*has_passed_key);
        self.text(lapsed_worker.as_ref().map(WorkerId::as_str));
        self.optional(*awaits_settings);
        self.number(attempts.len() as i64);
        attempts.iter().for_each(|attempt| self.attempt(attempt));
        self.number(log.len() as i64);
        log.iter().for_each(|entry| self.entry(entry));
        self.number(checkpoints.len() as i64);
        checkpoints.iter().for_each(|saved| self.checkpoint(saved));
        self.member(member.as_ref());
        self.number(dependencies.len() as i64);
        dependencies.iter().for_each(|dependency| self.dependency(dependency));
    }

    /// Adds all that is not a job.
    pub fn add_settings(&mut self, settings: &MovedSettings) {
        // The numbers only grow, and a queue without jobs may have been known before, so these may differ.
        let MovedSettings {
            last_id: _,
            history_last_id: _,
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
        for TypeSettings { job_type, queue, priority, max_retries, timeout } in types {
            self.text(Some(job_type));
            self.text(queue.as_deref());
            self.optional(priority.map(|priority| priority.0));
            self.optional(*max_retries);
            self.span(*timeout);
        }
        for (queue, paused_at) in queues.iter().filter(|(_, paused_at)| paused_at.is_some()) {
            self.text(Some(queue));
            self.instant(*paused_at);
        }
        for MinuteStats { minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms } in minutes {
            self.instant(Some(*minute));
            self.text(Some(queue));
            for number in [completed, failed, retried, cancelled, waited_ms, ran_ms] {
                self.bytes(&number.to_be_bytes());
            }
        }
        schedules.iter().for_each(|row| self.schedule(row));
        limits.iter().for_each(|limit| self.limit(limit));
        ticks.iter().for_each(|tick| self.tick(tick));
        batches.iter().for_each(|batch| self.batch(batch));
        for MovedSignal { batch, name, data } in signals {
            self.number(batch.0);
            self.text(Some(name));
            self.text(data.as_ref().map(JobData::as_str));
        }
        limit_keys.iter().for_each(|key| self.limit_key(key));
        tokens.iter().for_each(|token| self.token(token));
    }

    fn batch(&mut self, batch: &BatchRecord) {
        let BatchRecord { id, name, status, created_at, closed_at, ended_at, counts, callbacks } = batch;
        let BatchCounts { members, completed, cancelled, dead_letter } = counts;
        self.number(id.0);
        self.text(Some(name));
        self.text(Some(status.as_str()));
        for instant in [Some(*created_at), *closed_at, *ended_at] {
            self.instant(instant);
        }
        for count in [members, completed, cancelled, dead_letter, callbacks] {
            self.bytes(&count.to_be_bytes());
        }
    }

    fn member(&mut self, member: Option<&MovedMember>) {
        let Some(MovedMember { batch, role, reference, counted }) = member else { return self.nothing() };
        self.optional(batch.map(|batch| batch.0));
        self.text(Some(role.as_str()));
        self.text(reference.as_deref());
        self.text(counted.map(Status::as_str));
    }

    fn dependency(&mut self, dependency: &MovedDependency) {
        let MovedDependency { target, reference, needs, otherwise, state, timeout, timeout_at } = dependency;
        match target {
            MovedTarget::Job(id) => self.number(id.0),
            MovedTarget::Batch(id) => self.number(-id.0),
            MovedTarget::Signal { batch, name } => {
                self.number(-batch.0);
                self.text(Some(name));
            }
        }
        self.text(reference.as_deref());
        for word in [needs.as_str(), otherwise.as_str(), state.as_str()] {
            self.text(Some(word));
        }
        self.span(*timeout);
        self.instant(*timeout_at);
    }

    fn schedule(&mut self, row: &ScheduleRow) {
        let ScheduleRow {
            name,
            definition,
            revision,
            source,
            created_at,
            changed_at,
            settled_until,
            next_due_at,
            paused_at,
            pause_reason,
            waiting,
            last_job_id,
        } = row;
        for text in [name, definition] {
            self.text(Some(text));
        }
        self.bytes(&revision.to_be_bytes());
        self.text(Some(source.as_str()));
        for instant in [Some(*created_at), Some(*changed_at), Some(*settled_until), *next_due_at, *paused_at] {
            self.instant(instant);
        }
        self.text(pause_reason.as_deref());
        self.number(waiting.len() as i64);
        for WaitingTick { due_at, since, is_after_gap } in waiting {
            self.instant(Some(*due_at));
            self.instant(Some(*since));
            self.number(i64::from(*is_after_gap));
        }
        self.optional(last_job_id.map(|id| id.0));
    }

    fn tick(&mut self, tick: &Tick) {
        let Tick { schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why } = tick;
        for text in [schedule, kind.as_str(), outcome.as_str(), decided_by, why] {
            self.text(Some(text));
        }
        for instant in [Some(*due_at), *until_at, Some(*decided_at)] {
            self.instant(instant);
        }
        self.bytes(&ticks.to_be_bytes());
        self.optional(job_id.map(|id| id.0));
    }

    fn limit(&mut self, limit: &MovedLimit) {
        let MovedLimit { subject, configured, manual, arrival, closed_until } = limit;
        self.text(Some(&subject.to_string()));
        for rule in [configured, manual] {
            self.text(rule.as_ref().map(LimitRule::to_document).as_deref());
        }
        self.number(arrival.0);
        self.instant(*closed_until);
    }

    fn limit_key(&mut self, of_key: &MovedLimitKey) {
        let MovedLimitKey { job_type, key, arrival, closed_until } = of_key;
        for text in [job_type, key] {
            self.text(Some(text));
        }
        self.number(arrival.0);
        self.instant(*closed_until);
    }

    fn token(&mut self, token: &MovedToken) {
        let MovedToken { name, hash, scopes, created_at } = token;
        self.text(Some(name));
        self.bytes(&hash.0);
        self.text(Some(&scopes.join(" ")));
        self.instant(Some(*created_at));
    }

    /// The hash in hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn body(&mut self, job: &Job) {
        let Job {
            id,
            job_type,
            job_data,
            status,
            priority,
            created_at,
            started_at,
            completed_at,
            log_file_path,
            error_message,
            retry_count,
            max_retries: _,
            worker_id,
            timeout,
            parent_job_id,
            failure_type,
            next_retry_at,
            last_error_traceback,
            dead_letter_reason,
            moved_to_dead_letter_at,
            dead_letter_code: _,
            queue,
            run_at,
            claim_number,
            crash_count,
            max_crashes,
            deferral_count,
            max_deferrals,
            unique_key,
            limit_key,
            cancel_requested_at,
            progress,
            progress_message,
            result,
            metadata,
            expires_at,
            deadline_at,
        } = job;
        self.number(id.0);
        self.number(claim_number.0);
        self.number(priority.0);
        for count in [retry_count, crash_count, max_crashes, deferral_count, max_deferrals] {
            self.number(*count);
        }
        self.optional(parent_job_id.map(|parent| parent.0));
        self.span(*timeout);
        self.text(Some(status.as_str()));
        for text in [job_type, queue] {
            self.text(Some(text));
        }
        for text in [
            log_file_path,
            error_message,
            failure_type,
            last_error_traceback,
            dead_letter_reason,
            unique_key,
            limit_key,
            progress_message,
        ] {
            self.text(text.as_deref());
        }
        self.text(worker_id.as_ref().map(WorkerId::as_str));
        for instant in [
            Some(*created_at),
            Some(*run_at),
            *started_at,
            *completed_at,
            *next_retry_at,
            *moved_to_dead_letter_at,
            *cancel_requested_at,
            *expires_at,
            *deadline_at,
        ] {
            self.instant(instant);
        }
        self.optional(progress.map(|progress| progress.to_bits() as i64));
        self.text(Some(job_data.as_str()));
        self.text(result.as_ref().map(JobData::as_str));
        self.text(metadata.as_ref().map(JobData::as_str));
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let Attempt {
            attempt,
            claim_number,
            worker_id,
            started_at,
            finished_at,
            outcome,
            failure_type,
            error_message,
            traceback,
        } = attempt;
        self.number(*attempt);
        self.number(claim_number.0);
        self.text(worker_id.as_ref().map(WorkerId::as_str));
        self.instant(*started_at);
        self.instant(*finished_at);
        self.text(Some(outcome.as_str()));
        self.text(failure_type.map(FailureType::as_str));
        self.text(error_message.as_deref());
        self.text(traceback.as_deref());
    }

    fn entry(&mut self, entry: &LogEntry) {
        let LogEntry { attempt, claim_number, chunk_number, written_at, cut_bytes, text } = entry;
        self.number(*attempt);
        self.number(claim_number.0);
        self.number(*chunk_number);
        self.instant(Some(*written_at));
        self.bytes(&cut_bytes.to_be_bytes());
        self.text(Some(text));
    }

    fn checkpoint(&mut self, saved: &SavedCheckpoint) {
        let SavedCheckpoint { step, attempt, saved_at, value } = saved;
        self.text(step.as_deref());
        self.number(*attempt);
        self.instant(Some(*saved_at));
        self.text(Some(value.as_str()));
    }

    fn span(&mut self, span: Option<Duration>) {
        self.optional(span.map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX)));
    }

    fn instant(&mut self, instant: Option<Timestamp>) {
        self.optional(instant.map(Timestamp::as_ms));
    }

    fn number(&mut self, number: impl Into<i64>) {
        self.bytes(&number.into().to_be_bytes());
    }

    fn optional(&mut self, number: Option<impl Into<i64>>) {
        match number {
            Some(number) => self.number(number),
            None => self.nothing(),
        }
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes(text.as_bytes()),
            None => self.nothing(),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// No content has this length.
    fn nothing(&mut self) {
        self.0.update(u64::MAX.to_be_bytes());
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksum").finish_non_exhaustive()
    }
}
