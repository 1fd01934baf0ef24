use std::time::Duration;

use crate::job::new_job::SPAN_MAX;
use crate::{
    Attempt, DeadLetterCode, Job, JobData, LogEntry, MovedDependency, MovedMember, MovedTarget, SavedCheckpoint,
    Status, Timestamp, WorkerId,
};

/// A job with all that a database keeps of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MovedJob {
    /// What everybody can read. `max_retries` is what follows from the settings of its type, and is not written.
    pub job: Job,
    /// The retries that the job itself allows. None means as many as its type does.
    pub own_retries: Option<u32>,
    /// Whether it waits for the instant `run_at`; else it could be claimed since then.
    pub waits_for_instant: bool,
    /// Of a blocked job: since when it waits only for its parent.
    pub blocked_since: Option<Timestamp>,
    /// Whether its unique key went to another job, which waits behind it, while it ran.
    pub has_passed_key: bool,
    /// The worker that lost it because it did not extend its lease, until the next claim.
    pub lapsed_worker: Option<WorkerId>,
    /// What plain SQL left to the settings of its type, which nobody had registered: 1 the queue, 2 the priority, 3 both,
    /// 0 neither, but perhaps the retries or the timeout.
    pub awaits_settings: Option<u8>,
    /// The ended attempts that did not simply succeed, by claim number.
    pub attempts: Vec<Attempt>,
    /// Its log, in order.
    pub log: Vec<LogEntry>,
    /// Its checkpoint and the results of its steps: the checkpoint first, then by the bytes of the names.
    pub checkpoints: Vec<SavedCheckpoint>,
    /// Its place in its workflow, if it has one.
    pub member: Option<MovedMember>,
    /// What it waits or waited for, in the order in which it was given.
    pub dependencies: Vec<MovedDependency>,
}

impl MovedJob {
    /// Brings into one form what says the same, so that both databases of a move read the same job alike: values that
    /// mean nothing in the job's status go, and what only one of the databases can keep becomes what means the same in
    /// both. An instant is from 1990 to [`Timestamp::MAX`], a timeout is from one millisecond to ten years, and text has
    /// no character for zero. Payloads, results and metadata stay as they are, to the byte.
    #[must_use]
    pub fn normal(mut self) -> Self {
        let job = &mut self.job;
        let status = job.status;
        let is_ended = status.is_ended();
        let only = |holds: bool, value: Option<Timestamp>| value.filter(|_| holds);
        if status == Status::DeadLetter {
            // Two columns for one instant.
            let ended_at = job.moved_to_dead_letter_at.or(job.completed_at).unwrap_or(job.created_at);
            (job.completed_at, job.moved_to_dead_letter_at) = (Some(ended_at), Some(ended_at));
        } else {
            job.completed_at = only(is_ended, job.completed_at);
            job.moved_to_dead_letter_at = None;
        }
        self.waits_for_instant = status == Status::Retrying || self.waits_for_instant && !is_ended;
        job.next_retry_at = (status == Status::Retrying).then_some(job.run_at);
        job.cancel_requested_at = only(is_ended || status == Status::Running, job.cancel_requested_at);
        job.result = job.result.take().filter(|_| status == Status::Completed);
        let has_reason = matches!(status, Status::Cancelled | Status::DeadLetter);
        job.dead_letter_reason = job.dead_letter_reason.take().filter(|_| has_reason);
        job.dead_letter_code = job.dead_letter_reason.as_deref().and_then(DeadLetterCode::of_reason);
        job.timeout = job.timeout.map(|span| whole_milliseconds(span).clamp(TIMEOUT_MIN, SPAN_MAX));
        job.progress = job.progress.filter(|progress| progress.is_finite());
        let counts = [
            &mut job.retry_count,
            &mut job.crash_count,
            &mut job.max_crashes,
            &mut job.deferral_count,
            &mut job.max_deferrals,
        ];
        for count in counts.into_iter().chain(&mut self.own_retries) {
            *count = (*count).min(COUNT_MAX);
        }
        self.blocked_since = only(status == Status::Blocked, self.blocked_since);
        self.has_passed_key &= !is_ended && job.unique_key.is_some();
        self.lapsed_worker = self.lapsed_worker.filter(|_| !is_ended);
        self.awaits_settings = self.awaits_settings.filter(|_| !is_ended);
        self.bring_instants_into_range();
        self.replace_zeros();
        self
    }

    /// Plain SQL may write instants that the other database refuses, such as those of SQLite beyond any calendar and
    /// the infinite ones of PostgreSQL. An early one has passed, and a late one does not come.
    fn bring_instants_into_range(&mut self) {
        let bring = |instant: &mut Timestamp| *instant = (*instant).clamp(EARLIEST, Timestamp::MAX);
        let job = &mut self.job;
        [&mut job.created_at, &mut job.run_at].into_iter().for_each(bring);
        let of_job = [
            &mut job.started_at,
            &mut job.completed_at,
            &mut job.next_retry_at,
            &mut job.moved_to_dead_letter_at,
            &mut job.cancel_requested_at,
            &mut job.expires_at,
            &mut job.deadline_at,
            &mut self.blocked_since,
        ];
        of_job.into_iter().flatten().for_each(bring);
        for attempt in &mut self.attempts {
            [&mut attempt.started_at, &mut attempt.finished_at].into_iter().flatten().for_each(bring);
        }
        self.log.iter_mut().for_each(|entry| bring(&mut entry.written_at));
        self.checkpoints.iter_mut().for_each(|saved| bring(&mut saved.saved_at));
        self.dependencies.iter_mut().filter_map(|dependency| dependency.timeout_at.as_mut()).for_each(bring);
    }

    fn replace_zeros(&mut self) {
        let job = &mut self.job;
        let texts = [
            &mut job.log_file_path,
            &mut job.error_message,
            &mut job.failure_type,
            &mut job.last_error_traceback,
            &mut job.dead_letter_reason,
            &mut job.unique_key,
            &mut job.limit_key,
            &mut job.progress_message,
        ];
        texts.into_iter().flatten().chain([&mut job.job_type, &mut job.queue]).for_each(replace_zeros);
        for attempt in &mut self.attempts {
            [&mut attempt.error_message, &mut attempt.traceback].into_iter().flatten().for_each(replace_zeros);
        }
        self.log.iter_mut().for_each(|entry| replace_zeros(&mut entry.text));
        self.checkpoints.iter_mut().filter_map(|saved| saved.step.as_mut()).for_each(replace_zeros);
        self.member.iter_mut().filter_map(|member| member.reference.as_mut()).for_each(replace_zeros);
        for dependency in &mut self.dependencies {
            dependency.reference.iter_mut().for_each(replace_zeros);
            if let MovedTarget::Signal { name, .. } = &mut dependency.target {
                replace_zeros(name);
            }
        }
        let workers = [&mut job.worker_id, &mut self.lapsed_worker];
        for worker_id in workers.into_iter().chain(self.attempts.iter_mut().map(|attempt| &mut attempt.worker_id)) {
            if let Some(name) = worker_id.as_ref().filter(|name| name.as_str().contains('\0')) {
                *worker_id = Some(WorkerId::from_stored(&name.as_str().replace('\0', "\u{fffd}")));
            }
        }
    }

    /// About how much memory its content takes.
    pub fn size(&self) -> usize {
        let data = |data: &Option<JobData>| data.as_ref().map_or(0, JobData::len);
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let Job { job_data, result, metadata, error_message, last_error_traceback, .. } = &self.job;
        let attempts = self.attempts.iter().map(|attempt| text(&attempt.error_message) + text(&attempt.traceback));
        let log = self.log.iter().map(|entry| entry.text.len());
        let checkpoints = self.checkpoints.iter().map(|saved| saved.value.len());
        job_data.len()
            + data(result)
            + data(metadata)
            + text(error_message)
            + text(last_error_traceback)
            + attempts.chain(log).chain(checkpoints).sum::<usize>()
    }
}

/// The largest count that every database keeps.
const COUNT_MAX: u32 = i32::MAX.unsigned_abs();

/// The first instant of 1990. SQLite's table refuses earlier ones, because they are in seconds.
const EARLIEST: Timestamp = Timestamp::from_ms(631_152_000_000);

/// The shortest timeout of PostgreSQL.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

pub(super) fn replace_zeros(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

/// The nearest whole millisecond. A fraction of seconds in SQLite may be just below the one that was meant.
fn whole_milliseconds(span: Duration) -> Duration {
    let rounded = span.saturating_add(Duration::from_micros(500));
    Duration::from_millis(u64::try_from(rounded.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_nearest_millisecond() {
        let ms = |seconds: f64| whole_milliseconds(Duration::from_secs_f64(seconds)).as_millis();
        assert_eq!((ms(0.0001), ms(1.235), ms(316_224_000.235)), (0, 1235, 316_224_000_235));
        assert_eq!(whole_milliseconds(Duration::MAX), Duration::from_millis(u64::MAX));
    }
}
