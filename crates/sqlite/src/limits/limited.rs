use std::sync::Arc;

use longshore_core::{ClaimRequest, Timestamp};
use rusqlite::{Connection, params};

use crate::database::fault::Fault;
use crate::jobs::claim::lanes::{Lane, Scope};
use crate::limits::claim_bounds::ClaimBounds;
use crate::limits::limit_set::LimitSet;
use crate::limits::sorting::{settle_lanes, sort_strays};
use crate::limits::turns::Turns;
use crate::writing::session::WriteTx;

/// How many lanes one claim opens because their instant has come. The next one continues.
const OPENED_MAX: u32 = 1000;
/// How many jobs and lanes of a type from before a change of its rule one claim sorts. The next one follows at once.
const SORTED_MAX: u32 = 250;

/// The limited part of a claim.
#[derive(Debug)]
pub(crate) struct Limited {
    pub(crate) bounds: ClaimBounds,
    pub(crate) turns: Vec<Turns>,
}

impl Limited {
    /// The queues of limited types that may give a job.
    pub(crate) fn new(connection: &Connection, scope: &Scope<'_>, mut bounds: ClaimBounds) -> rusqlite::Result<Self> {
        let mut turns = Vec::new();
        let open = bounds.open_types();
        for job_type in scope.job_types() {
            let Some(limit) = open.iter().find(|limit| limit.job_type == *job_type) else { continue };
            for (queue, room) in scope.open_queues(connection, job_type)? {
                bounds.meet_queue(connection, &queue)?;
                turns.push(Turns::new(limit.clone(), queue, room));
            }
        }
        Ok(Self { bounds, turns })
    }

    /// Reads what is free in the queues that the claim takes from.
    pub(crate) fn meet_queues(&mut self, connection: &Connection, lanes: &[Lane<'_>]) -> rusqlite::Result<()> {
        lanes.iter().try_for_each(|lane| self.bounds.meet_queue(connection, &lane.queue))
    }

    /// Writes what the claim has started and closed. Answers when a closed limit opens.
    pub(crate) fn save(mut self, connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
        for turns in &mut self.turns {
            turns.save(connection, &mut self.bounds)?;
        }
        self.bounds.save(connection)?;
        self.bounds.next_opening(connection)
    }
}

/// Opens lanes whose instant has come, and sorts some of the jobs and lanes from before a change of a rule.
pub(crate) fn prepare(
    tx: &mut WriteTx<'_, '_>,
    set: &Arc<LimitSet>,
    request: &ClaimRequest,
) -> Result<ClaimBounds, Fault> {
    let mut bounds = ClaimBounds::read(tx.connection, Arc::clone(set), request, tx.now)?;
    bounds.add_unwritten(tx.earlier);
    bounds.add_unwritten(&tx.counts);
    for limit in bounds.types() {
        tx.connection.prepare_cached(include_str!("../sql/limits/open_due_lanes.sql"))?.execute(params![
            limit.job_type,
            tx.now.as_ms(),
            OPENED_MAX
        ])?;
        let mut is_cut_short = settle_lanes(tx, &limit, SORTED_MAX)? >= SORTED_MAX;
        // Those of a closed type can wait for housekeeping.
        if limit.has_lanes() && bounds.is_open(&limit.job_type) {
            is_cut_short |= sort_strays(tx, &limit, SORTED_MAX)? >= SORTED_MAX;
        }
        if is_cut_short {
            bounds.leave_unsorted();
        }
    }
    Ok(bounds)
}

/// Whether a claim of this request must write, because a lane may give a job or must be closed. Only reads.
pub(crate) fn has_open(connection: &Connection, scope: &Scope<'_>, bounds: &mut ClaimBounds) -> rusqlite::Result<bool> {
    for limit in bounds.types() {
        if limit.has_unsettled(connection)? {
            return Ok(true);
        }
    }
    for limit in bounds.open_types() {
        if limit.has_lanes() && limit.has_strays(connection)? {
            return Ok(true);
        }
        let Some(job_type) = scope.job_types().iter().find(|job_type| **job_type == limit.job_type) else { continue };
        for (queue, _) in scope.open_queues(connection, job_type)? {
            bounds.meet_queue(connection, &queue)?;
            if bounds.has_room(&queue) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
