use std::collections::HashSet;
use std::time::Duration;

use longshore_core::{ClaimNumber, HELD_LEASES_MAX, JobId, Lease, StoreError};
use tokio::time::timeout;

use crate::runtime::quiet;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// A worker that was just registered for the first time holds nothing.
const FIRST_SESSION: u64 = 1;
/// How many heartbeats at the beginning of a later session look. Housekeeping may find them only meanwhile.
const FRESH_BEATS: u32 = 6;
/// After that, one of so many looks.
const BEATS: u32 = 30;
/// When to look again at what was found.
const AGAIN: Duration = Duration::from_secs(3);

/// Leases that the worker has in the store and does not know of. It gives them back, because nobody else can take them
/// while it lives.
///
/// They come about where the store has lost its last commits, as with a fail-over to an asynchronous replica: outcomes
/// that were stored are missing there. So it is looked for them when a session after the first one begins, and now and
/// then.
#[derive(Debug, Default)]
pub(crate) struct UnknownLeases {
    /// The number of the session of the last heartbeat.
    session: u64,
    /// How many heartbeats that session has had.
    beats: u32,
    /// What a first look has found. It may be on its way to the worker, so a second one decides.
    found: Option<HashSet<(JobId, ClaimNumber)>>,
}

impl UnknownLeases {
    /// After a heartbeat. Looks for them if it is time, but no longer than `longest`, and returns when to look again if
    /// that is soon.
    pub(crate) async fn look(&mut self, worker_run: &WorkerRun, longest: Duration) -> Option<Duration> {
        if !self.is_due(worker_run.sessions.number()) {
            return None;
        }
        let (worker_id, known) = {
            let holdings = worker_run.holdings();
            (holdings.registered_id()?.clone(), holdings.known_claims())
        };
        let mut unknown = match timeout(longest, worker_run.queue.backend().held_leases(worker_id, known)).await {
            Ok(Ok(leases)) => leases,
            // The next heartbeat meets whatever it is that keeps the store from answering.
            Ok(Err(StoreError::WorkerGone { .. })) | Err(_) => return None,
            Ok(Err(error)) => {
                worker_run.meet(StoreCall::Read, error);
                return None;
            }
        };
        worker_run.trouble.pass(StoreCall::Read);
        let is_all = unknown.len() < HELD_LEASES_MAX;
        let mut holdings = worker_run.holdings();
        // What has arrived meanwhile.
        let known: HashSet<_> = holdings.known_claims().into_iter().collect();
        unknown.retain(|lease| !known.contains(&claim_of(lease)));
        let Some(found) = self.found.take() else {
            self.found = (!unknown.is_empty()).then(|| unknown.iter().map(claim_of).collect());
            return self.found.is_some().then_some(AGAIN);
        };
        unknown.retain(|lease| found.contains(&claim_of(lease)));
        holdings.return_unseen(&unknown, worker_run.clock.monotonic());
        drop(holdings);
        if !is_all {
            self.beats = 0;
        }
        if !unknown.is_empty() {
            quiet::warning!(
                jobs = unknown.len(),
                "the store has jobs of this worker that it does not run; they are returned"
            );
        }
        None
    }

    fn is_due(&mut self, session: u64) -> bool {
        if session != self.session {
            (self.session, self.beats) = (session, 0);
        }
        self.beats += 1;
        let is_fresh = session > FIRST_SESSION && self.beats <= FRESH_BEATS;
        self.found.is_some() || is_fresh || self.beats.is_multiple_of(BEATS)
    }
}

fn claim_of(lease: &Lease) -> (JobId, ClaimNumber) {
    (lease.id, lease.claim_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_later_session_looks_and_after_that_one_heartbeat_of_thirty() {
        let mut unknown = UnknownLeases::default();
        let mut due = |session, beats: u32| (0..beats).filter(|_| unknown.is_due(session)).count();
        assert_eq!((due(1, 29), due(1, 1), due(1, 29)), (0, 1, 0));
        assert_eq!((due(2, 6), due(2, 23), due(2, 1)), (6, 0, 1));
    }
}
