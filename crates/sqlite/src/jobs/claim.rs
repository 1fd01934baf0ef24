use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_core::{ClaimRequest, Claimed, Clock, JobId, Lease, QueueScope, Status, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::column;
use crate::fault::Fault;
use crate::jobs::claim::runs::{Candidates, given_lease, take_candidates};
use crate::workers::given::GivenClaims;
use crate::workers::held::HeldLease;
use crate::writing::session::{Session, WriteTx};
use crate::writing::work::Work;

pub(crate) mod runs;

/// How many due jobs one claim promotes; the next claim goes on, because the next due instant has passed.
const PROMOTED_MAX: u32 = 1000;
/// How many queues a claim from all of them visits.
const QUEUES_MAX: usize = 10_000;

/// Promotes what is due and claims what may run.
pub(crate) struct Claim {
    request: ClaimRequest,
    given: Arc<GivenClaims>,
    clock: Arc<dyn Clock>,
}

impl Claim {
    pub(crate) fn new(mut request: ClaimRequest, given: Arc<GivenClaims>, clock: Arc<dyn Clock>) -> Self {
        // A type that is named twice is one type, or its jobs would be chosen twice.
        let types: BTreeSet<&String> = request.job_types.iter().collect();
        if types.len() < request.job_types.len() {
            request.job_types = types.into_iter().cloned().collect();
        }
        Self { request, given, clock }
    }
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

    fn rows(&self) -> usize {
        self.request.limit as usize
    }

    /// An idle worker asks often; it must not take the write lock to learn that there is nothing.
    fn look(&mut self, session: &Session<'_>) -> Result<Option<Claimed>, Fault> {
        self.check_worker(session.connection)?;
        if let Some(claimed) = self.given_before(session.connection)? {
            return Ok(Some(claimed));
        }
        let next_due = next_due(session.connection)?;
        if next_due.is_some_and(|due| due <= self.clock.now()) {
            return Ok(None);
        }
        let mut rooms = self.rooms(session.connection)?;
        let one = take_candidates(session.connection, &session.runs, &self.request.job_types, &mut rooms, 1)?;
        Ok(one.is_empty().then(|| Claimed { leases: Vec::new(), next_due }))
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Claimed, Fault> {
        self.check_worker(tx.connection)?;
        if let Some(claimed) = self.given_before(tx.connection)? {
            return Ok(claimed);
        }
        promote(tx)?;
        let mut rooms = self.rooms(tx.connection)?;
        let mut chosen =
            take_candidates(tx.connection, tx.runs, &self.request.job_types, &mut rooms, self.request.limit)?;
        chosen.charge_lapsed(&self.request.worker_id);
        if !chosen.is_empty() {
            // Before the commit: when that fails, nobody knows whether it was carried out.
            self.given.give(&self.request, chosen.leases());
            self.take(tx, &chosen)?;
        }
        Ok(Claimed { leases: chosen.into_leases(), next_due: next_due(tx.connection)? })
    }
}

impl Claim {
    /// As long as the row stands nobody else was given its jobs.
    fn check_worker(&self, connection: &Connection) -> Result<(), Fault> {
        let worker_id = &self.request.worker_id;
        let is_registered: bool = connection
            .prepare_cached(include_str!("../sql/is_worker_registered.sql"))?
            .query_row([worker_id.as_str()], |row| row.get(0))?;
        if is_registered {
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

    fn rooms(&self, connection: &Connection) -> rusqlite::Result<Vec<Room>> {
        let paused = paused_queues(connection)?;
        let mut rooms = match &self.request.scope {
            QueueScope::All => ready_queues(connection, self.request.limit)?,
            QueueScope::Only(limits) => {
                // A queue that is named twice is one queue, or its jobs would be chosen twice.
                let limits: BTreeMap<&str, u32> =
                    limits.iter().map(|limit| (limit.queue.as_str(), limit.limit)).collect();
                limits.into_iter().map(|(queue, left)| Room { queue: queue.into(), left }).collect()
            }
        };
        rooms.retain(|room| room.left > 0 && !paused.contains(&*room.queue));
        Ok(rooms)
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
        if !chosen.lapsed().is_empty() {
            let ids = column::ids(chosen.lapsed().iter().copied());
            let sql = include_str!("../sql/settle_lapsed_jobs.sql");
            tx.connection.prepare_cached(sql)?.execute(params![ids, worker_id.as_str()])?;
        }
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
