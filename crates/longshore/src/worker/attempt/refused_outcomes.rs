use std::time::Duration;

use longshore_core::{ClaimNumber, JobId};
use tokio::time::Instant;

use super::ended_attempt::EndedAttempt;

/// How long they wait for the next try: a person must change the database first.
const AGAIN: Duration = Duration::from_secs(60);
/// How many are kept at most. Jobs of further ones stay `running` until their worker ends.
const KEPT_MAX: usize = 1000;

/// Outcomes that the database rejects, together with every other end of their jobs.
///
/// They take no slot, and nothing waits for them. When the worker retires, the store returns their jobs, like all other
/// jobs of the worker.
#[derive(Debug, Default)]
pub(crate) struct RefusedOutcomes {
    kept: Vec<EndedAttempt>,
    /// The claims of those that are not kept.
    dropped: Vec<(JobId, ClaimNumber)>,
    again_at: Option<Instant>,
}

impl RefusedOutcomes {
    pub(crate) fn keep(&mut self, ended: EndedAttempt, now: Instant) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(EndedAttempt { was_refused: true, ..ended });
            self.again_at.get_or_insert(now + AGAIN);
        } else {
            self.dropped.push(ended.claim());
        }
    }

    /// The claims of all of them.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (JobId, ClaimNumber)> {
        self.kept.iter().map(EndedAttempt::claim).chain(self.dropped.iter().copied())
    }

    /// When to try them again.
    pub(crate) const fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// Takes all of them, if it is time.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<EndedAttempt> {
        if self.again_at.is_none_or(|at| now < at) { Vec::new() } else { self.take_all() }
    }

    /// Takes all of them, whether it is time or not.
    pub(crate) fn take_all(&mut self) -> Vec<EndedAttempt> {
        self.again_at = None;
        std::mem::take(&mut self.kept)
    }
}
