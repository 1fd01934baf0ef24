use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_core::{ClaimRequest, Claimed, Clock, JobId, Lease, QueueScope, Status, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::column;
use crate::fault::Fault;
use crate::jobs::claim::runs::{Candidates, given_lease, take_candidates};
use crate::jobs::inbox::{Mailbox, Offered};
use crate::jobs::offers::{Offer, Offers, Slots};
use crate::workers::given::GivenClaims;
use crate::workers::held::HeldLease;
use crate::workers::liveness::Liveness;
use crate::writing::session::{KeptStatements, Session, WriteTx};
use crate::writing::work::{Effect, Work};

pub(crate) mod runs;

/// How many due jobs one claim promotes; the next claim goes on, because the next due instant has passed.
const PROMOTED_MAX: u32 = 1000;
/// How many queues a claim from all of them visits.
const QUEUES_MAX: usize = 10_000;

/// Promotes what is due and claims what may run.
pub(crate) struct Claim {
    request: ClaimRequest,
    inbox: Option<Arc<Mailbox>>,
    liveness: Arc<Liveness>,
    given: Arc<GivenClaims>,
    clock: Arc<dyn Clock>,
}

impl Claim {
    pub(crate) fn new(
        mut request: ClaimRequest,
        inbox: Option<Arc<Mailbox>>,
        liveness: Arc<Liveness>,
        given: Arc<GivenClaims>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // A type that is named twice is one type, or its jobs would be chosen twice.
        let types: BTreeSet<&String> = request.job_types.iter().collect();
        if types.len() < request.job_types.len() {
            request.job_types = types.into_iter().cloned().collect();
        }
        Self { request, inbox, liveness, given, clock }
    }
}

/// What the worker offers beside its claim.
#[derive(Debug, Default)]
struct Standing {
    /// With SQLite's number for the commits of others.
    offered: Option<(Offered, i64)>,
    /// The queues of leases that it has not taken from its inbox yet, so that it asks for as many too much.
    unread: Vec<String>,
}

impl Standing {
    fn unread(&self) -> u32 {
        u32::try_from(self.unread.len()).unwrap_or(u32::MAX)
    }
}

/// What a claim leaves.
struct Left<'a> {
    /// The queues of the jobs that it took.
    got: &'a [Arc<str>],
    paused: BTreeSet<String>,
    next_due: Option<Timestamp>,
}

/// A queue and how much may still be taken from it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) queue: Arc<str>,
    pub(crate) left: u32,
}

impl Work for Claim {
    type Answer = Claimed;
    const DOING: &'static str = "claiming jobs";
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.request.limit as usize
    }

    /// An idle worker asks often; it must not take the write lock to learn that there is nothing.
    fn look(&mut self, session: &Session<'_>) -> Result<Option<Claimed>, Fault> {
        self.check_worker(session.connection)?;
        // Before the look: a commit of others in between makes the offer outdated.
        let standing = self.begin_offer(&session.offers, &session.kept)?;
        if let Some(claimed) = self.given_before(session.connection)? {
            return Ok(Some(claimed));
        }
        let next_due = next_due(session.connection)?;
        if next_due.is_some_and(|due| due <= self.clock.now()) {
            return Ok(None);
        }
        let paused = paused_queues(session.connection)?;
        let mut rooms = self.rooms(session.connection, &paused, &standing)?;
        let one = take_candidates(session.connection, &session.runs, &self.request.job_types, &mut rooms, 1)?;
        if !one.is_empty() {
            return Ok(None);
        }
        self.leave_offer(&session.offers, standing, Left { got: &[], paused, next_due });
        Ok(Some(Claimed { leases: Vec::new(), next_due }))
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Claimed, Fault> {
        self.check_worker(tx.connection)?;
        let standing = self.begin_offer(tx.offers, tx.kept)?;
        if let Some(claimed) = self.given_before(tx.connection)? {
            return Ok(claimed);
        }
        promote(tx)?;
        let paused = paused_queues(tx.connection)?;
        let mut rooms = self.rooms(tx.connection, &paused, &standing)?;
        let limit = self.request.limit.saturating_sub(standing.unread());
        let chosen = take_candidates(tx.connection, tx.runs, &self.request.job_types, &mut rooms, limit)?;
        if !chosen.is_empty() {
            // Before the commit: when that fails, nobody knows whether it was carried out.
            self.given.give(&self.request, chosen.leases());
            self.take(tx, &chosen)?;
        }
        let next_due = next_due(tx.connection)?;
        if chosen.leases().len() < limit as usize {
            self.leave_offer(tx.offers, standing, Left { got: chosen.queues(), paused, next_due });
        }
        Ok(Claimed { leases: chosen.into_leases(), next_due })
    }
}

impl Claim {
    /// The worker's own clock and the row must both say that its lease holds.
    fn check_worker(&self, connection: &Connection) -> Result<(), Fault> {
        let worker_id = &self.request.worker_id;
        let is_registered: bool = connection
            .prepare_cached(include_str!("../sql/is_worker_registered.sql"))?
            .query_row([worker_id.as_str()], |row| row.get(0))?;
        if is_registered && self.liveness.has_lease(worker_id, self.clock.monotonic()) {
            return Ok(());
        }
        Err(StoreError::WorkerGone { worker_id: worker_id.clone() }.into())
    }

    /// The answer to a request that was carried out before: what the worker still has of it. One whose commit failed
    /// was carried out if the worker has any of it; otherwise it is made as if for the first time.
    fn given_before(&self, connection: &Connection) -> rusqlite::Result<Option<Claimed>> {
        let Some(given) = self.given.before(&self.request) else { return Ok(None) };
        let mut leases = Vec::with_capacity(given.leases.len());
        for (id, claim_number) in &given.leases {
            leases.extend(given_lease(connection, &self.request.worker_id, *id, *claim_number)?);
        }
        if leases.is_empty() && !given.is_committed {
            return Ok(None);
        }
        Ok(Some(Claimed { leases, next_due: next_due(connection)? }))
    }

    fn rooms(
        &self,
        connection: &Connection,
        paused: &BTreeSet<String>,
        standing: &Standing,
    ) -> rusqlite::Result<Vec<Room>> {
        let mut rooms = match &self.request.scope {
            QueueScope::All => ready_queues(connection, self.request.limit)?,
            QueueScope::Only(limits) => {
                // A queue that is named twice is one queue, or its jobs would be chosen twice.
                let limits: BTreeMap<&str, u32> =
                    limits.iter().map(|limit| (limit.queue.as_str(), limit.limit)).collect();
                limits.into_iter().map(|(queue, left)| Room { queue: queue.into(), left }).collect()
            }
        };
        for queue in &standing.unread {
            if let Some(room) = rooms.iter_mut().find(|room| *room.queue == **queue) {
                room.left = room.left.saturating_sub(1);
            }
        }
        rooms.retain(|room| room.left > 0 && !paused.contains(&*room.queue));
        Ok(rooms)
    }

    /// The worker's earlier offer is over with this claim.
    fn begin_offer(&self, offers: &RefCell<Offers>, kept: &KeptStatements<'_>) -> rusqlite::Result<Standing> {
        let Some(inbox) = &self.inbox else { return Ok(Standing::default()) };
        offers.borrow_mut().withdraw(&self.request.worker_id);
        let (offered, unread) = inbox.rest();
        Ok(Standing { offered: Some((offered, kept.data_version()?)), unread })
    }

    /// Nothing more can be claimed now: what the worker offered stays behind, less what it has got.
    fn leave_offer(&self, offers: &RefCell<Offers>, standing: Standing, left: Left<'_>) {
        let (Some(inbox), Some((offered, data_version))) = (&self.inbox, standing.offered) else { return };
        let unread = standing.unread.iter().map(String::as_str);
        offers.borrow_mut().stand(Offer {
            worker_id: self.request.worker_id.clone(),
            mailbox: Arc::clone(inbox),
            job_types: Arc::clone(&self.request.job_types),
            slots: Slots::new(offered, &self.request.scope, left.got.iter().map(|queue| &**queue).chain(unread)),
            paused: left.paused,
            next_due: left.next_due,
            data_version,
            liveness: Arc::clone(&self.liveness),
            clock: Arc::clone(&self.clock),
        });
    }

    fn take(&self, tx: &mut WriteTx<'_, '_>, chosen: &Candidates) -> Result<(), Fault> {
        let leases = chosen.leases();
        let worker_id = &self.request.worker_id;
        let ids = column::ids(leases.iter().map(|lease| lease.id));
        let taken = tx.connection.prepare_cached(include_str!("../sql/claim_jobs.sql"))?.execute(params![
            ids,
            worker_id.as_str(),
            tx.now.as_ms()
        ])?;
        assert_eq!(taken, leases.len(), "what was chosen inside the write transaction is still there");
        for lease in leases {
            tx.counts.moved(&lease.queue, Status::Pending, Status::Running);
        }
        let held = leases.iter().zip(chosen.queues()).map(|(lease, queue)| (lease.id, remember(lease, queue)));
        tx.held.give(worker_id, held);
        Ok(())
    }
}

fn remember(lease: &Lease, queue: &Arc<str>) -> HeldLease {
    HeldLease { claim_number: lease.claim_number, queue: Arc::clone(queue), ready_at: lease.ready_at }
}

fn promote(tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
    let mut statement = tx.connection.prepare_cached(include_str!("../sql/select_due_jobs.sql"))?;
    let due: Vec<(JobId, String, Status)> = statement
        .query_map(params![tx.now.as_ms(), PROMOTED_MAX], |row| {
            Ok((column::id(row, 0)?, column::text(row, 1)?, column::status(row, 2)?))
        })?
        .collect::<Result<_, _>>()?;
    if due.is_empty() {
        return Ok(());
    }
    let ids = column::ids(due.iter().map(|(id, _, _)| *id));
    tx.connection.prepare_cached(include_str!("../sql/promote_jobs.sql"))?.execute([ids])?;
    for (_, queue, status) in &due {
        tx.counts.moved(queue, *status, Status::Pending);
    }
    // Another worker may be idle and know the type that this one does not.
    tx.wakes = true;
    Ok(())
}

fn next_due(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(include_str!("../sql/select_next_due.sql"))?
        .query_row([], |row| column::timestamp(row, 0))
        .optional()
}

pub(crate) fn paused_queues(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    connection
        .prepare_cached(include_str!("../sql/select_paused_queues.sql"))?
        .query_map([], |row| column::text(row, 0))?
        .collect()
}

fn ready_queues(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<Room>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/select_next_ready_queue.sql"))?;
    let mut rooms: Vec<Room> = Vec::new();
    while rooms.len() < QUEUES_MAX {
        let last = rooms.last().map_or("", |room| &*room.queue);
        let next = statement.query_row([last], |row| column::text(row, 0)).optional()?;
        let Some(queue) = next else { break };
        rooms.push(Room { queue: queue.into(), left: limit });
    }
    Ok(rooms)
}
