use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, JobId, Lease, Report, WorkerId};
use tokio::time::Instant;

use crate::worker::attempt::ended_attempt::{EndedAttempt, OutcomeBatch};
use crate::worker::attempt::postponed_outcomes::PostponedOutcomes;
use crate::worker::attempt::refused_outcomes::RefusedOutcomes;

/// Beyond this many outcomes that could not be stored, nothing more is claimed.
const ENDED_MAX: usize = 10_000;

/// What attempts came to that is not stored yet.
#[derive(Debug, Default)]
pub(super) struct UnstoredOutcomes {
    ended: Vec<EndedAttempt>,
    /// Of these, those that the database refuses in whatever form: tried again now and then.
    refused: RefusedOutcomes,
    /// Those whose database does not answer.
    postponed: PostponedOutcomes,
    /// What attempts that have ended said last about how far they were; stored before their outcomes.
    last_reports: Vec<Report>,
    /// Whether outcomes or last reports are on their way into the store.
    is_recording: bool,
    /// The claims of these outcomes.
    recording: Vec<(JobId, ClaimNumber)>,
}

/// What an attempt that has ended leaves to be stored.
#[derive(Debug)]
pub(crate) enum Conclusion {
    /// Its outcome.
    Outcome(EndedAttempt),
    /// Only the rest of its log: it completed its job in a transaction of its own.
    Committed(Report),
}

/// Outcomes on their way into the store.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) worker_id: WorkerId,
    /// What their attempts, and perhaps others that have ended, said last; to be stored first.
    pub(crate) last_reports: Arc<[Report]>,
    pub(crate) outcomes: OutcomeBatch,
}

impl UnstoredOutcomes {
    pub(super) fn push(&mut self, conclusion: Conclusion, last_report: Option<Report>) {
        match conclusion {
            Conclusion::Outcome(ended) => {
                self.last_reports.extend(last_report);
                self.ended.push(ended);
            }
            Conclusion::Committed(report) => self.last_reports.push(report),
        }
    }

    pub(super) fn push_ended(&mut self, ended: EndedAttempt) {
        self.ended.push(ended);
    }

    pub(super) fn push_returned<'a>(&mut self, leases: impl IntoIterator<Item = &'a Lease>, now: Duration) {
        self.ended.extend(leases.into_iter().map(|lease| EndedAttempt::returned(lease, now)));
    }

    /// What is next to be stored, oldest first; to be followed by `recorded` or `put_back`.
    pub(super) fn take(&mut self, worker_id: &WorkerId, most: usize) -> Option<Ended> {
        if !self.has_next() {
            return None;
        }
        let is_all = self.ended.len() <= most;
        let ended = if is_all { std::mem::take(&mut self.ended) } else { self.ended.drain(..most).collect() };
        self.is_recording = true;
        self.recording.extend(ended.iter().map(EndedAttempt::claim));
        let last_reports = std::mem::take(&mut self.last_reports).into();
        Some(Ended { worker_id: worker_id.clone(), last_reports, outcomes: OutcomeBatch::new(ended) })
    }

    /// What was taken is stored or given up.
    pub(super) fn recorded(&mut self) {
        self.is_recording = false;
        self.recording.clear();
    }

    /// What was taken is not stored: it is the next to be taken again.
    pub(super) fn put_back(&mut self, ended: &Ended) {
        self.recorded();
        self.last_reports.splice(..0, ended.last_reports.iter().cloned());
        self.ended.splice(..0, ended.outcomes.all_ended());
    }

    /// The database refuses this outcome, and every other end of its job.
    pub(super) fn refuse(&mut self, ended: EndedAttempt) {
        self.refused.keep(ended, Instant::now());
    }

    /// The database of this outcome does not answer.
    pub(super) fn postpone(&mut self, ended: EndedAttempt) {
        self.postponed.keep(ended, Instant::now());
    }

    /// When something that was kept is worth another try.
    pub(super) fn kept_until(&self) -> Option<Instant> {
        [self.refused.again_at(), self.postponed.again_at()].into_iter().flatten().min()
    }

    /// What was kept is the next to be taken again, if it is time.
    pub(super) fn try_kept(&mut self) {
        let now = Instant::now();
        self.ended.extend(self.refused.take(now));
        self.ended.extend(self.postponed.take(now));
    }

    /// The same, whether it is time or not.
    pub(super) fn try_all_refused(&mut self) {
        self.ended.extend(self.refused.take_all());
    }

    /// The claims of all outcomes that are not stored.
    pub(super) fn claims(&self) -> impl Iterator<Item = (JobId, ClaimNumber)> {
        let kept = self.refused.claims().chain(self.postponed.claims());
        self.ended.iter().map(EndedAttempt::claim).chain(kept).chain(self.recording.iter().copied())
    }

    /// Whether something waits to be taken.
    pub(super) const fn has_next(&self) -> bool {
        !(self.ended.is_empty() && self.last_reports.is_empty())
    }

    /// Whether everything is stored.
    pub(super) const fn is_recorded(&self) -> bool {
        !self.has_next() && !self.is_recording && self.postponed.is_empty()
    }

    /// Whether the store has fallen so far behind that nothing more is claimed.
    pub(super) const fn is_full(&self) -> bool {
        self.ended.len() > ENDED_MAX
    }
}
