use std::collections::HashSet;
use std::time::Duration;

use longshore_core::{ClaimNumber, HELD_LEASES_MAX, JobId, Lease};

use crate::runtime::quiet;
use crate::worker::holdings::ClaimMark;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// A worker that was just registered for the first time holds nothing.
const FIRST_SESSION: u64 = 1;
/// How many heartbeats come between two looks in one session.
const BEATS: u32 = 30;
/// When to look again at what was found: the claim loop goes round twice in this time.
const AGAIN: Duration = Duration::from_secs(3);

/// Leases that the worker has in the store and does not know of. It gives them back, because nobody else can take them
/// while it lives.
///
/// They come about where the store has lost its last commits, as with a fail-over to an asynchronous replica: outcomes
/// that were stored are missing there. So it is looked for them in every session after the first one, and now and then.
#[derive(Debug, Default)]
pub(crate) struct UnknownLeases {
    /// The number of the session in which the last look found nothing.
    looked_in: u64,
    beats: u32,
    found: Option<Found>,
}

/// What a first look has found. It may be on its way to the worker, so a second one decides.
#[derive(Debug)]
struct Found {
    claims: HashSet<(JobId, ClaimNumber)>,
    mark: ClaimMark,
}

impl UnknownLeases {
    /// After a heartbeat. Looks for them if it is time, and returns when to look again if that is soon.
    pub(crate) async fn look(&mut self, worker_run: &WorkerRun) -> Option<Duration> {
        let session = worker_run.sessions.number();
        if !self.is_due(session) {
            return None;
        }
        let (worker_id, known) = {
            let holdings = worker_run.holdings();
            (holdings.registered_id()?.clone(), holdings.known_claims())
        };
        let mut unknown = match worker_run.queue.backend().held_leases(worker_id, known).await {
            Ok(leases) => leases,
            Err(error) => {
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
        let mark = holdings.claim_mark();
        let Some(found) = self.found.take() else {
            if unknown.is_empty() {
                self.end(session);
                return None;
            }
            self.found = Some(Found { claims: unknown.iter().map(claim_of).collect(), mark });
            return Some(AGAIN);
        };
        if !mark.has_all_since(found.mark) {
            self.found = Some(found);
            return None;
        }
        unknown.retain(|lease| found.claims.contains(&claim_of(lease)));
        holdings.give_back(&unknown, worker_run.clock.monotonic());
        drop(holdings);
        if is_all {
            self.end(session);
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
        self.beats += 1;
        session > self.looked_in.max(FIRST_SESSION) || self.found.is_some() || self.beats > BEATS
    }

    const fn end(&mut self, session: u64) {
        self.looked_in = session;
        self.beats = 0;
    }
}

fn claim_of(lease: &Lease) -> (JobId, ClaimNumber) {
    (lease.id, lease.claim_number)
}
