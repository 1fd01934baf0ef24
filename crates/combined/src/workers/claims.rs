use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    ClaimRequest, Claimed, Lease, QueueLimit, QueueScope, Record, StoreError, StoreFuture, Timestamp, WorkerId,
};

use crate::combined_store::Shared;
use crate::member::is_of_database;
use crate::members::SHORT;

/// A claim over all databases, one after the other, until it has as many jobs as it may take.
///
/// The first one changes with each claim, so that a full queue in one database does not keep the others waiting. A claim
/// that a database did not answer is repeated there, with its id, before any other one: it may hold jobs.
pub(crate) async fn claim(shared: &Shared, request: ClaimRequest) -> Result<Claimed, StoreError> {
    let mut round = Round { leases: Vec::new(), next_due: None, now: None };
    let (mut missed, mut is_known) = (None, false);
    for place in order(shared, &request.worker_id) {
        let member = &shared.members.all()[place];
        if !shared.workers.is_registered(&request.worker_id, place) {
            missed.get_or_insert_with(|| member.out_of_reach());
            continue;
        }
        if let Some(source) = shared.missed_limits.why(place) {
            missed.get_or_insert_with(|| StoreError::InDatabase { name: Arc::clone(&member.name), source });
            continue;
        }
        let Some(own) = round.rest(&request) else { break };
        if member.trouble().is_some() && round.now.is_some() {
            continue;
        }
        let (asked, is_repeated) = begin(shared, place, own.clone());
        match ask(shared, place, asked).await {
            Ok(claimed) => {
                shared.workers.with(&request.worker_id, |entry| entry.unanswered[place] = None);
                is_known = true;
                let surplus = round.add(place, claimed, is_repeated.then_some(&request));
                give_back(shared, place, &request.worker_id, surplus).await;
            }
            Err(error) if is_of_database(&error) => {
                shared.trouble.notify_one();
                missed.get_or_insert(error);
            }
            // Its request is repeated once the worker is registered again, and gets the leases of the others then.
            Err(error) => return Err(error),
        }
    }
    match missed {
        Some(error) if !is_known && round.leases.is_empty() => Err(error),
        _ => Ok(round.end()),
    }
}

/// The databases, beginning with another one each time. Those that did not answer come last.
fn order(shared: &Shared, worker_id: &WorkerId) -> Vec<usize> {
    let databases = shared.members.all().len();
    let turn = shared.workers.with(worker_id, |entry| {
        entry.turn = (entry.turn + 1) % databases;
        entry.turn
    });
    let first = turn.unwrap_or(0);
    let mut order: Vec<usize> = (0..databases).map(|step| (first + step) % databases).collect();
    order.sort_by_key(|place| shared.members.all()[*place].trouble().is_some());
    order
}

/// What this database is asked: the claim that it did not answer, or this one, which counts as unanswered from now on.
fn begin(shared: &Shared, place: usize, own: ClaimRequest) -> (ClaimRequest, bool) {
    let asked = shared.workers.with(&own.worker_id, |entry| match &entry.unanswered[place] {
        Some(unanswered) => (unanswered.clone(), true),
        None => {
            entry.unanswered[place] = Some(own.clone());
            (own.clone(), false)
        }
    });
    asked.unwrap_or((own, false))
}

async fn ask(shared: &Shared, place: usize, request: ClaimRequest) -> Result<Claimed, StoreError> {
    let call = |store: Arc<dyn longshore_core::Backend>, request: ClaimRequest| -> StoreFuture<'static, Claimed> {
        Box::pin(async move { store.claim(request).await })
    };
    let mut answers = shared.members.ask(SHORT, vec![(place, request)], call).await;
    let (_, answer) = answers.pop().expect("one database was asked");
    answer
}

/// Jobs of a repeated claim for which there is no place any more.
async fn give_back(shared: &Shared, place: usize, worker_id: &WorkerId, surplus: Vec<Lease>) {
    if surplus.is_empty() {
        return;
    }
    let records: Arc<[Record]> = surplus.iter().map(Record::returned).collect();
    let worker_id = worker_id.clone();
    let answer = shared.members.ask_one(place, |store| Box::pin(async move { store.record(worker_id, records).await }));
    if answer.await.is_err() {
        // They are lost with the next heartbeat, which does not name them.
        tracing::debug!(jobs = surplus.len(), "jobs of a repeated claim could not be given back");
    }
}

/// What a claim has got so far.
struct Round {
    leases: Vec<Lease>,
    next_due: Option<Duration>,
    /// By the clock of the first database of those that answered.
    now: Option<(usize, Timestamp)>,
}

impl Round {
    /// What is left of a request. None if it has got everything.
    fn rest(&self, request: &ClaimRequest) -> Option<ClaimRequest> {
        let got = u32::try_from(self.leases.len()).unwrap_or(u32::MAX);
        let limit = request.limit.saturating_sub(got);
        let scope = match &request.scope {
            QueueScope::All => QueueScope::All,
            QueueScope::Only(limits) => QueueScope::Only(limits.iter().map(|limit| self.left(limit)).collect()),
        };
        // A claim of no jobs still promotes those that are due, everywhere.
        (limit > 0 || request.limit == 0).then(|| ClaimRequest { scope, limit, ..request.clone() })
    }

    fn left(&self, limit: &QueueLimit) -> QueueLimit {
        let got = self.leases.iter().filter(|lease| lease.queue == limit.queue).count();
        let got = u32::try_from(got).unwrap_or(u32::MAX);
        QueueLimit { queue: limit.queue.clone(), limit: limit.limit.saturating_sub(got) }
    }

    /// Adds an answer. That of a repeated claim may give more than is wanted by now; the rest is given back.
    fn add(&mut self, place: usize, claimed: Claimed, wanted: Option<&ClaimRequest>) -> Vec<Lease> {
        if self.now.is_none_or(|(first, _)| place < first) {
            self.now = Some((place, claimed.now));
        }
        let due = claimed.next_due;
        self.next_due = self.next_due.map_or(due, |first| Some(due.map_or(first, |due| first.min(due))));
        let mut surplus = Vec::new();
        for lease in claimed.leases {
            if wanted.is_none_or(|request| self.has_place(request, &lease)) {
                self.leases.push(lease);
            } else {
                surplus.push(lease);
            }
        }
        surplus
    }

    /// Whether a request still wants this job.
    fn has_place(&self, request: &ClaimRequest, lease: &Lease) -> bool {
        let taken = |queue: Option<&str>| {
            let got = self.leases.iter().filter(|got| queue.is_none_or(|queue| got.queue == queue)).count();
            u32::try_from(got).unwrap_or(u32::MAX)
        };
        let in_queue = match &request.scope {
            QueueScope::All => true,
            QueueScope::Only(limits) => {
                limits.iter().any(|limit| limit.queue == lease.queue && taken(Some(&lease.queue)) < limit.limit)
            }
        };
        in_queue && taken(None) < request.limit
    }

    /// Jobs of a higher priority first; within one priority each database keeps its order.
    fn end(mut self) -> Claimed {
        self.leases.sort_by_key(|lease| Reverse(lease.priority));
        let now = self.now.map_or(Timestamp::from_ms(0), |(_, now)| now);
        Claimed { leases: self.leases, next_due: self.next_due, now }
    }
}
