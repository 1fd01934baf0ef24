use std::time::Duration;

use longshore_core::{DeadLetterReason, Failure, FailureType, JobData, Lease, LogChunk, Outcome, Record};

/// The record of a leased attempt. The last method sets how it ended.
#[derive(Clone, Debug)]
pub struct RecordBuilder {
    lease: Lease,
    ran: Option<Duration>,
    ended_ago: Duration,
    log: Vec<LogChunk>,
    slow_down: Option<Duration>,
}

/// An attempt that started and ended just now by default.
pub fn ended(lease: &Lease) -> RecordBuilder {
    RecordBuilder {
        lease: lease.clone(),
        ran: Some(Duration::ZERO),
        ended_ago: Duration::ZERO,
        log: Vec::new(),
        slow_down: None,
    }
}

impl RecordBuilder {
    /// Sets how long its handler ran.
    #[must_use]
    pub fn ran(mut self, span: Duration) -> Self {
        self.ran = Some(span);
        self
    }

    /// Sets how long ago it ended.
    #[must_use]
    pub fn ago(mut self, span: Duration) -> Self {
        self.ended_ago = span;
        self
    }

    /// Its handler never started.
    #[must_use]
    pub fn never_began(mut self) -> Self {
        self.ran = None;
        self
    }

    /// Sets the rest of its log.
    #[must_use]
    pub fn log(mut self, log: Vec<LogChunk>) -> Self {
        self.log = log;
        self
    }

    /// Its handler was asked to slow down for this long.
    #[must_use]
    pub fn slow_down(mut self, span: Duration) -> Self {
        self.slow_down = Some(span);
        self
    }

    /// It succeeded, without a result.
    pub fn completed(self) -> Record {
        self.outcome(Outcome::Completed { result: None })
    }

    /// It succeeded with a result.
    pub fn completed_with(self, result: JobData) -> Record {
        self.outcome(Outcome::Completed { result: Some(result) })
    }

    /// It failed and is retried after `delay`.
    pub fn retrying(self, delay: Duration) -> Record {
        self.outcome(Outcome::Retrying { delay, failure: failure() })
    }

    /// It failed and becomes a dead letter, because its retries are spent.
    pub fn dead_letter(self) -> Record {
        let reason = DeadLetterReason::RetriesSpent { attempts: self.lease.attempt() };
        self.outcome(Outcome::DeadLetter { reason, failure: failure() })
    }

    /// It stopped because its job was cancelled.
    pub fn cancelled(self) -> Record {
        self.outcome(Outcome::Cancelled)
    }

    /// It asked to run again after `delay`.
    pub fn deferred(self, delay: Duration) -> Record {
        self.outcome(Outcome::Deferred { delay })
    }

    /// It is given up, because the store rejected its outcome.
    pub fn refused(self) -> Record {
        self.outcome(Outcome::DeadLetter { reason: DeadLetterReason::OutcomeRefused, failure: failure() })
    }

    /// It is returned; the attempt is not counted.
    pub fn returned(self) -> Record {
        self.outcome(Outcome::Returned)
    }

    /// It ended with this outcome.
    pub fn outcome(self, outcome: Outcome) -> Record {
        Record {
            id: self.lease.id,
            claim_number: self.lease.claim_number,
            outcome,
            attempt: self.lease.attempt(),
            ran: self.ran,
            ended_ago: self.ended_ago,
            log: self.log,
            slow_down: self.slow_down,
        }
    }
}

fn failure() -> Failure {
    Failure::new(FailureType::NetworkError, "no answer").with_traceback("no answer\ncaused by: a test")
}
