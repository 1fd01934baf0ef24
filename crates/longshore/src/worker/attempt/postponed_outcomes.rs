use std::time::Duration;

use longshore_core::{ClaimNumber, JobId};
use tokio::time::Instant;

use super::ended_attempt::EndedAttempt;

/// How long they wait for the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Outcomes whose database does not answer, while other databases of the worker do.
///
/// They take no slot, and keep no outcome of another database waiting. Their number is bounded, because nothing is
/// claimed from their database meanwhile.
#[derive(Debug, Default)]
pub(crate) struct PostponedOutcomes {
    kept: Vec<EndedAttempt>,
    again_at: Option<Instant>,
}

impl PostponedOutcomes {
    pub(crate) fn keep(&mut self, ended: EndedAttempt, now: Instant) {
        self.kept.push(ended);
        self.again_at.get_or_insert(now + AGAIN);
    }

    /// The claims of all of them.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (JobId, ClaimNumber)> {
        self.kept.iter().map(EndedAttempt::claim)
    }

    /// When to try them again.
    pub(crate) const fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// Takes all of them, if it is time.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<EndedAttempt> {
        if self.again_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.again_at = None;
        std::mem::take(&mut self.kept)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
