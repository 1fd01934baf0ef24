use longshore_core::{
    Attempt, AttemptOutcome, ClaimNumber, Failure, JobId, LogChunk, LogEntry, Outcome, Overdue, Record, Recorded,
    Report, Status, Timestamp, WorkerId,
};

use crate::memory::jobs::row::Row;
use crate::memory::state::State;

/// The end of the current attempt of a job.
#[derive(Debug)]
pub(in crate::memory) struct AttemptEnded {
    pub(in crate::memory) id: JobId,
    pub(in crate::memory) attempt: u32,
    pub(in crate::memory) started_at: Option<Timestamp>,
    pub(in crate::memory) finished_at: Timestamp,
    pub(in crate::memory) outcome: Outcome,
}

impl State {
    pub(in crate::memory) fn record(
        &mut self,
        worker_id: &WorkerId,
        records: &[Record],
        now: Timestamp,
    ) -> Vec<Recorded> {
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            answers.push(self.record_one(worker_id, record, now));
        }
        answers
    }

    fn record_one(&mut self, worker_id: &WorkerId, record: &Record, now: Timestamp) -> Recorded {
        let is_refused = self.refuses(record.id, record.outcome.status());
        let Some(row) = self.attempt_row(worker_id, record.id, record.claim_number) else { return Recorded::Fenced };
        if is_refused {
            return Recorded::Refused { reason: "the database refuses it".into() };
        }
        row.write_log(record.attempt, record.log.clone(), now);
        self.end_attempt(AttemptEnded {
            id: record.id,
            attempt: record.attempt,
            started_at: record.started_at(now),
            finished_at: record.finished_at(now),
            outcome: record.outcome.clone(),
        });
        if let Some(span) = record.slow_down {
            self.slow_down(record.id, record.finished_at(now), span, now);
        }
        Recorded::Recorded
    }

    pub(in crate::memory) fn report(
        &mut self,
        worker_id: &WorkerId,
        reports: &[Report],
        now: Timestamp,
    ) -> Vec<Recorded> {
        let mut answers = Vec::with_capacity(reports.len());
        for report in reports {
            let (id, claim_number) = (report.id, report.claim_number);
            let row = self.rows.get_mut(&id);
            let row = row
                .filter(|row| row.is_attempt(worker_id, claim_number) || row.is_completed_by(worker_id, claim_number));
            let Some(row) = row else {
                answers.push(Recorded::Fenced);
                continue;
            };
            let is_running = row.job.status == Status::Running;
            if let Some(progress) = report.progress.as_ref().filter(|_| is_running) {
                row.job.progress = Some(progress.fraction.clamp(0.0, 1.0));
                row.job.progress_message.clone_from(&progress.message);
            }
            row.write_log(report.attempt, report.log.clone(), now);
            answers.push(Recorded::Recorded);
        }
        answers
    }

    fn attempt_row(&mut self, worker_id: &WorkerId, id: JobId, claim_number: ClaimNumber) -> Option<&mut Row> {
        self.rows.get_mut(&id).filter(|row| row.is_attempt(worker_id, claim_number))
    }

    /// Makes the state change of the outcome, writes the attempt's row and updates the children.
    pub(in crate::memory) fn end_attempt(&mut self, ended: AttemptEnded) {
        let AttemptEnded { id, finished_at: at, .. } = ended;
        let row = self.row(id);
        row.keep_attempt(&ended);
        let queue = row.job.queue.clone();
        let waited_ms = ended.started_at.map_or(0, |started_at| milliseconds(row.job.run_at, started_at));
        let ran_ms = ended.started_at.map_or(0, |started_at| milliseconds(started_at, at));
        row.job.started_at = ended.started_at.or(row.job.started_at);
        let counts = self.counts(at, &queue);
        counts.waited_ms += waited_ms;
        counts.ran_ms += ran_ms;
        match &ended.outcome {
            Outcome::Completed { .. } => counts.completed += 1,
            Outcome::Retrying { .. } => counts.retried += 1,
            Outcome::Cancelled | Outcome::Expired { .. } => counts.cancelled += 1,
            _ => {}
        }
        self.make_move(id, ended.outcome, at);
    }

    fn make_move(&mut self, id: JobId, outcome: Outcome, at: Timestamp) {
        let row = self.row(id);
        match outcome {
            Outcome::Completed { result } => {
                row.job.status = Status::Completed;
                row.job.completed_at = Some(at);
                row.job.result = result;
                self.tell_children(id, at);
            }
            Outcome::Cancelled => self.cancel(id, at),
            Outcome::Expired { at: expiry, failure } => {
                if let Some(failure) = &failure {
                    row.note_failure(failure);
                }
                self.expire(id, Overdue::Expired(expiry), at);
            }
            Outcome::DeadLetter { reason, failure } => {
                row.note_failure(&failure);
                self.bury(id, reason, at);
            }
            Outcome::Retrying { delay, failure } => {
                let retry_at = at.after(delay);
                row.note_failure(&failure);
                row.job.retry_count += 1;
                row.wait(Some(retry_at), at);
                row.job.status = Status::Retrying;
                row.job.next_retry_at = Some(retry_at);
            }
            Outcome::Deferred { delay } => {
                row.job.deferral_count += 1;
                row.wait(Some(at.after(delay)), at);
            }
            Outcome::Returned => row.wait(None, at),
            Outcome::Lapsed { .. } => {
                row.lapsed = row.job.worker_id.clone();
                row.wait(None, at);
            }
            Outcome::Crashed { failure } => {
                row.note_failure(&failure);
                row.job.crash_count += 1;
                row.wait(None, at);
            }
        }
        self.cancel_if_asked(id, at);
    }

    /// If the cancellation of a job was requested and its attempt did not end it, the job does not run again first.
    fn cancel_if_asked(&mut self, id: JobId, at: Timestamp) {
        let job = &self.row(id).job;
        if job.cancel_requested_at.is_some() && !job.status.is_ended() {
            self.cancel(id, at);
        }
    }
}

impl Row {
    fn keep_attempt(&mut self, ended: &AttemptEnded) {
        let Some((outcome, failure)) = word(&ended.outcome) else { return };
        let attempt = Attempt {
            attempt: ended.attempt,
            claim_number: self.job.claim_number,
            worker_id: self.job.worker_id.clone(),
            started_at: ended.started_at,
            finished_at: Some(ended.finished_at),
            outcome,
            failure_type: failure.map(|failure| failure.failure_type),
            error_message: failure.map(|failure| failure.message.clone()),
            traceback: failure.and_then(|failure| failure.traceback.clone()),
        };
        self.attempts.insert(attempt.claim_number, attempt);
    }

    fn write_log(&mut self, attempt: u32, chunks: Vec<LogChunk>, now: Timestamp) {
        let claim_number = self.job.claim_number;
        for chunk in chunks {
            self.log.retain(|(claim, number), _| *claim != claim_number || !chunk.replaces.contains(number));
            let entry = LogEntry {
                attempt,
                claim_number,
                chunk_number: chunk.number,
                written_at: now,
                cut_bytes: chunk.cut_bytes,
                text: chunk.text,
            };
            self.log.insert((claim_number, chunk.number), entry);
        }
    }
}

/// The word for the history. A success has none; the job's own row describes it.
fn word(outcome: &Outcome) -> Option<(AttemptOutcome, Option<&Failure>)> {
    let has_row = !matches!(outcome, Outcome::Completed { .. });
    has_row.then(|| (outcome.of_attempt(), outcome.failure()))
}

fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}
