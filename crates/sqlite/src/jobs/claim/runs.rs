use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use longshore_core::{Budgets, ClaimNumber, JobId, Lease, Priority, WorkerId};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, params};

use crate::column;
use crate::jobs::claim::Room;

/// Statements for runs that are kept for the next claim; a claim over more runs prepares the rest anew.
const RUNS_KEPT: usize = 64;

/// Jobs that a claim has chosen, with their claim numbers already counted on.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    leases: Vec<Lease>,
    queues: Vec<Arc<str>>,
}

impl Candidates {
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    pub(crate) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// The queue of each lease, shared.
    pub(crate) fn queues(&self) -> &[Arc<str>] {
        &self.queues
    }

    pub(crate) fn into_leases(self) -> Vec<Lease> {
        self.leases
    }
}

/// Chooses up to `limit` ready jobs by priority and then by id, and from each queue what it has room for.
///
/// Each queue and type is one run of the claim index that is sorted already. The runs are merged row by row, so
/// that nothing is read but what is taken and the first job of each run.
pub(crate) fn take_candidates<'c>(
    connection: &'c Connection,
    statements: &RefCell<Vec<Statement<'c>>>,
    job_types: &[String],
    rooms: &mut [Room],
    limit: u32,
) -> rusqlite::Result<Candidates> {
    let keys: Vec<(usize, &str)> =
        (0..rooms.len()).flat_map(|room| job_types.iter().map(move |job_type| (room, job_type.as_str()))).collect();
    let mut kept = statements.borrow_mut();
    while kept.len() < keys.len() {
        kept.push(connection.prepare(include_str!("../../sql/select_claim_run.sql"))?);
    }
    let mut runs = Vec::with_capacity(keys.len());
    for ((room, job_type), statement) in keys.into_iter().zip(kept.iter_mut()) {
        let rows = statement.query([&*rooms[room].queue, job_type])?;
        runs.push(Run { room, job_type, rows });
    }
    let chosen = merge(&mut runs, rooms, limit);
    drop(runs);
    kept.truncate(RUNS_KEPT);
    chosen
}

/// The ready jobs of one type in one queue.
struct Run<'a> {
    room: usize,
    job_type: &'a str,
    rows: Rows<'a>,
}

/// The first job of a run, ordered so that the heap's greatest is the next to be taken.
type Head = (Priority, Reverse<JobId>, usize);

impl Run<'_> {
    fn advance(&mut self, place: usize) -> rusqlite::Result<Option<Head>> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        Ok(Some((column::priority(row, 1)?, Reverse(column::id(row, 0)?), place)))
    }
}

fn merge(runs: &mut [Run<'_>], rooms: &mut [Room], limit: u32) -> rusqlite::Result<Candidates> {
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (place, run) in runs.iter_mut().enumerate() {
        heads.extend(run.advance(place)?);
    }
    let mut chosen = Candidates::default();
    while chosen.leases.len() < limit as usize {
        let Some((_, _, place)) = heads.pop() else { break };
        let run = &mut runs[place];
        let room = &mut rooms[run.room];
        if room.left == 0 {
            // The queue has given what it may; its runs are left where they stand.
            continue;
        }
        room.left -= 1;
        let row = FallibleStreamingIterator::get(&run.rows).expect("a head is the row that its run stands on");
        let mut lease = lease(row, run.job_type, &room.queue)?;
        // The claim counts it on; the lease must say what the row will say.
        lease.claim_number = ClaimNumber(lease.claim_number.0.saturating_add(1));
        chosen.leases.push(lease);
        chosen.queues.push(Arc::clone(&room.queue));
        heads.extend(run.advance(place)?);
    }
    Ok(chosen)
}

/// A lease that a claim gave before, if the worker still has it.
pub(crate) fn given_lease(
    connection: &Connection,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> rusqlite::Result<Option<Lease>> {
    connection
        .prepare_cached(include_str!("../../sql/select_given_lease.sql"))?
        .query_row(params![id.0, worker_id.as_str(), claim_number.0], |row| {
            lease(row, &column::text(row, 13)?, &column::text(row, 14)?)
        })
        .optional()
}

fn lease(row: &Row<'_>, job_type: &str, queue: &str) -> rusqlite::Result<Lease> {
    Ok(Lease {
        id: column::id(row, 0)?,
        priority: column::priority(row, 1)?,
        claim_number: ClaimNumber(column::integer(row, 2)?),
        job_type: job_type.to_owned(),
        queue: queue.to_owned(),
        job_data: column::data(row, 3)?,
        budgets: Budgets {
            retry_count: column::count(row, 4)?,
            max_retries: column::count(row, 5)?,
            crash_count: column::count(row, 6)?,
            max_crashes: column::count(row, 7)?,
            deferral_count: column::count(row, 8)?,
            max_deferrals: column::count(row, 9)?,
        },
        timeout: column::optional_seconds(row, 10)?,
        ready_at: column::timestamp(row, 11)?,
        metadata: column::optional_data(row, 12)?,
    })
}
