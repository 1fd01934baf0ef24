use std::time::Duration;

use longshore_core::{DeadLetterReason, Failure, FailureType, JobData, Lease, LogChunk, Outcome, Record, Timestamp};

/// What became of a leased attempt that ends at one instant; the last word says how it ended.
#[derive(Clone, Debug)]
pub struct RecordBuilder {
    lease: Lease,
    started_at: Option<Timestamp>,
    finished_at: Timestamp,
    log: Vec<LogChunk>,
}

/// An attempt that began and ended at `now`, unless told.
pub fn ended(lease: &Lease, now: Timestamp) -> RecordBuilder {
    RecordBuilder { lease: lease.clone(), started_at: Some(now), finished_at: now, log: Vec::new() }
}

impl RecordBuilder {
    /// When its handler began.
    #[must_use]
    pub fn began(mut self, started_at: Timestamp) -> Self {
        self.started_at = Some(started_at);
        self
    }

    /// Its handler never began.
    #[must_use]
    pub fn never_began(mut self) -> Self {
        self.started_at = None;
        self
    }

    /// What is left of its log.
    #[must_use]
    pub fn log(mut self, log: Vec<LogChunk>) -> Self {
        self.log = log;
        self
    }

    /// It succeeded, without a result.
    pub fn completed(self) -> Record {
        self.outcome(Outcome::Completed { result: None })
    }

    /// It succeeded and came to something.
    pub fn completed_with(self, result: JobData) -> Record {
        self.outcome(Outcome::Completed { result: Some(result) })
    }

    /// It failed and is tried again after `delay`.
    pub fn retrying(self, delay: Duration) -> Record {
        let retry_at = self.finished_at.after(delay);
        self.outcome(Outcome::Retrying { retry_at, failure: failure() })
    }

    /// It failed and is given up, its retries spent.
    pub fn dead_letter(self) -> Record {
        let reason = DeadLetterReason::RetriesSpent { attempts: self.lease.attempt() };
        self.outcome(Outcome::DeadLetter { reason, failure: failure() })
    }

    /// It stopped because somebody asked for it.
    pub fn cancelled(self) -> Record {
        self.outcome(Outcome::Cancelled)
    }

    /// It wants to be run after `delay`.
    pub fn deferred(self, delay: Duration) -> Record {
        let run_at = self.finished_at.after(delay);
        self.outcome(Outcome::Deferred { run_at })
    }

    /// It is given back unspent.
    pub fn returned(self) -> Record {
        self.outcome(Outcome::Returned)
    }

    /// It ended in this way.
    pub fn outcome(self, outcome: Outcome) -> Record {
        Record {
            id: self.lease.id,
            claim_number: self.lease.claim_number,
            outcome,
            attempt: self.lease.attempt(),
            started_at: self.started_at,
            finished_at: self.finished_at,
            log: self.log,
        }
    }
}

fn failure() -> Failure {
    Failure::new(FailureType::NetworkError, "no answer").with_traceback("no answer\ncaused by: a test")
}
