use std::time::Duration;

use tokio::time::Instant;

use super::ended_attempt::EndedAttempt;

/// How long they wait for the next try: somebody has to change the database first.
const AGAIN: Duration = Duration::from_secs(60);
/// The most that are kept; the jobs of others stay `running` until their worker ends.
const KEPT_MAX: usize = 1000;

/// Outcomes that the database refuses, while it refuses every other end of their jobs, too.
///
/// They take no slot, and nothing waits for them: when the worker retires, the store takes their jobs back as it does
/// with whatever is left.
#[derive(Debug, Default)]
pub(crate) struct RefusedOutcomes {
    kept: Vec<EndedAttempt>,
    again_at: Option<Instant>,
}

impl RefusedOutcomes {
    pub(crate) fn keep(&mut self, ended: EndedAttempt, now: Instant) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(EndedAttempt { was_refused: true, ..ended });
            self.again_at.get_or_insert(now + AGAIN);
        }
    }

    /// When they are to be tried again.
    pub(crate) const fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// All of them, if it is time.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<EndedAttempt> {
        if self.again_at.is_none_or(|at| now < at) { Vec::new() } else { self.take_all() }
    }

    /// All of them, whether it is time or not.
    pub(crate) fn take_all(&mut self) -> Vec<EndedAttempt> {
        self.again_at = None;
        std::mem::take(&mut self.kept)
    }
}
