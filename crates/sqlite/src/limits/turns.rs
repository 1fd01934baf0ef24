use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::database::column;
use crate::jobs::claim::lanes::Head;
use crate::jobs::claim::runs::{Candidates, Found, find};
use crate::limits::claim_bounds::{ClaimBounds, Closed};
use crate::limits::limit_set::TypeLimit;

/// How many lanes one claim visits in a queue of a type. Those that give nothing are closed by it, so the next claim goes
/// on behind them.
const LANES_MAX: usize = 4096;
/// A lane that was served so long ago is told to be served now, so that most claims leave the index of idle lanes alone.
const SERVED_EVERY: Duration = Duration::from_secs(60);
/// How many lanes one read gives. Most claims take from no more.
const PAGE: usize = 64;

/// The lanes of one type in one queue, which take turns.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) limit: Arc<TypeLimit>,
    pub(crate) queue: Arc<str>,
    /// The index of its queue in the request, if the request names queues.
    pub(crate) room: Option<usize>,
    lanes: Vec<Lane>,
    /// The lanes that may be next, in order. The first one's job is known once it was looked at.
    order: BTreeSet<Place>,
    /// The last lane that was read, in the order of the index. `None` before the first.
    read_to: Option<Place>,
    has_more: bool,
    /// The head that the claim has listed. An older one that it meets counts no more.
    listed: Option<Head>,
}

/// What a claim has taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Whether it became a lease.
    pub(crate) is_lease: bool,
    /// Its key, if that may start nothing more now.
    pub(crate) closed_key: Option<String>,
}

/// The position of a lane: by priority, then by turn, then by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority: std::cmp::Reverse<i64>,
    turn: i64,
    key: String,
    id: i64,
    index: usize,
}

#[derive(Debug)]
struct Lane {
    id: i64,
    key: String,
    priority: i64,
    turn: i64,
    served_at: Timestamp,
    /// The last job that this claim has taken or ended.
    last: Option<Head>,
    next: Option<Next>,
    closed: Option<Option<Closed>>,
    has_served: bool,
    is_changed: bool,
    /// Whether its key is one from before a change of the rule. Then it gives nothing until its jobs are sorted.
    is_stale: bool,
}

/// The first job of a lane.
#[derive(Debug)]
struct Next {
    head: Head,
    found: Found,
}

impl Turns {
    pub(crate) fn new(limit: Arc<TypeLimit>, queue: Arc<str>, room: Option<usize>) -> Self {
        Self {
            limit,
            queue,
            room,
            lanes: Vec::new(),
            order: BTreeSet::new(),
            read_to: None,
            has_more: true,
            listed: None,
        }
    }

    /// The head, if the claim has to list it: it is another one than the last time.
    pub(crate) fn new_head(
        &mut self,
        connection: &Connection,
        bounds: &mut ClaimBounds,
    ) -> rusqlite::Result<Option<Head>> {
        let head = self.head(connection, bounds)?;
        let is_new = head != self.listed;
        self.listed = head;
        Ok(head.filter(|_| is_new))
    }

    /// Whether this is the head that was listed last.
    pub(crate) fn is_current(&self, head: Head) -> bool {
        self.listed == Some(head)
    }

    /// Whether a lane of this key is the next one.
    pub(crate) fn is_next(&self, key: &str) -> bool {
        self.order.first().is_some_and(|place| place.key == key)
    }

    /// The job that is next, by the turns of the lanes. Closes lanes that have none or may not give one.
    pub(crate) fn head(&mut self, connection: &Connection, bounds: &mut ClaimBounds) -> rusqlite::Result<Option<Head>> {
        while bounds.is_open(&self.limit.job_type) && bounds.has_room(&self.queue) {
            self.read_as_needed(connection)?;
            let Some(place) = self.order.first().cloned() else { return Ok(None) };
            let lane = &mut self.lanes[place.index];
            let closing = bounds.closing_of(connection, &self.limit, &lane.key)?;
            if let (Some(next), None) = (&lane.next, closing) {
                return Ok(Some(next.head));
            }
            self.order.remove(&place);
            if let Some(closed) = closing {
                lane.close(Some(closed));
                continue;
            }
            let Some(next) = lane.read(connection, &self.limit.job_type, &self.queue, bounds.now())? else {
                lane.close(None);
                continue;
            };
            lane.is_changed |= lane.priority != next.head.priority;
            lane.priority = next.head.priority;
            lane.next = Some(next);
            // Behind others if its first job is of a lower priority than it was thought to be.
            let place = lane.place(place.index);
            self.order.insert(place);
        }
        Ok(None)
    }

    /// Takes the job that [`Turns::head`] has found.
    pub(crate) fn take(
        &mut self,
        connection: &Connection,
        bounds: &mut ClaimBounds,
        chosen: &mut Candidates,
    ) -> rusqlite::Result<Taken> {
        let Some(place) = self.order.pop_first() else { return Ok(Taken::default()) };
        let lane = &mut self.lanes[place.index];
        let Some(next) = lane.next.take() else { return Ok(Taken::default()) };
        let mut taken = Taken { is_lease: matches!(next.found, Found::Job { .. }), closed_key: None };
        if taken.is_lease {
            lane.turn = bounds.start(connection, &self.limit, &lane.key, lane.turn)?;
            bounds.take_room(&self.queue, true);
            lane.has_served = true;
            let closing = bounds.closing_of(connection, &self.limit, &lane.key)?;
            taken.closed_key = closing.map(|_| lane.key.clone());
        }
        chosen.add(next.found, &self.queue);
        lane.last = Some(next.head);
        lane.is_changed = true;
        self.listed = None;
        // A job that cannot be found again by its priority ends the lane for this claim.
        if next.head.has_number() {
            let place = lane.place(place.index);
            self.order.insert(place);
        }
        Ok(taken)
    }

    /// Writes the turns, and which lanes are closed.
    pub(crate) fn save(&mut self, connection: &Connection, bounds: &mut ClaimBounds) -> rusqlite::Result<()> {
        for lane in &mut self.lanes {
            if lane.is_stale {
                connection.prepare_cached(include_str!("../sql/limits/unsettle_lane.sql"))?.execute([lane.id])?;
                continue;
            }
            if lane.closed.is_none() && lane.has_served {
                lane.closed = bounds.closing_of(connection, &self.limit, &lane.key)?.map(Some);
            }
            if lane.is_changed || lane.closed.is_some() {
                lane.save(connection, bounds.now())?;
            }
        }
        Ok(())
    }

    /// A lane that was not read yet is behind all that were.
    fn read_as_needed(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        while self.has_more && self.lanes.len() < LANES_MAX {
            let is_known = match (self.order.first(), &self.read_to) {
                (Some(first), Some(read_to)) => first <= read_to,
                _ => false,
            };
            if is_known {
                return Ok(());
            }
            let mut statement = connection.prepare_cached(include_str!("../sql/limits/select_open_lanes.sql"))?;
            let mut rows = statement.query(params![
                self.limit.job_type,
                &*self.queue,
                PAGE as i64,
                self.lanes.len() as i64,
                self.limit.key_revision,
                self.limit.revision
            ])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let lane = Lane::read_from(row)?;
                let place = lane.place(self.lanes.len());
                if !lane.is_stale {
                    self.order.insert(place.clone());
                }
                self.lanes.push(lane);
                self.read_to = Some(place);
                count += 1;
            }
            self.has_more = count == PAGE;
        }
        Ok(())
    }

    /// Whether lanes that this claim did not visit may give something.
    pub(crate) fn is_cut_short(&self) -> bool {
        let is_full = self.has_more && self.lanes.len() >= LANES_MAX && self.order.is_empty();
        is_full || self.lanes.iter().any(|lane| lane.is_stale)
    }
}

impl Lane {
    fn read_from(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: column::integer(row, 0)?,
            key: column::text(row, 1)?,
            priority: column::integer(row, 2)?,
            turn: column::integer(row, 3)?,
            served_at: column::timestamp(row, 4)?,
            last: None,
            next: None,
            closed: None,
            has_served: false,
            is_changed: false,
            is_stale: row.get(5)?,
        })
    }

    fn place(&self, index: usize) -> Place {
        let (priority, key) = (std::cmp::Reverse(self.priority), self.key.clone());
        Place { priority, turn: self.turn, key, id: self.id, index }
    }

    fn close(&mut self, closed: Option<Closed>) {
        self.closed = Some(closed);
    }

    fn read(
        &self,
        connection: &Connection,
        job_type: &str,
        queue: &Arc<str>,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Next>> {
        let read = |row: &Row<'_>| Ok(Next { head: Head::read(row, 1, 0)?, found: find(row, job_type, queue, now)? });
        let found = match &self.last {
            None => connection
                .prepare_cached(include_str!("../sql/limits/select_lane_job.sql"))?
                .query_map([self.id], read)?
                .next()
                .transpose()?,
            Some(last) => connection
                .prepare_cached(include_str!("../sql/limits/select_lane_job_after.sql"))?
                .query_map(params![self.id, last.start(), last.id.0], read)?
                .next()
                .transpose()?,
        };
        Ok(found)
    }

    fn save(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let opens_at = match self.closed {
            Some(Some(Closed::Until(at))) => Some(at.as_ms()),
            _ => None,
        };
        let is_open = self.closed.is_none();
        if self.has_served && now.since(self.served_at) >= SERVED_EVERY {
            let sql = include_str!("../sql/limits/save_served_lane.sql");
            let values = params![self.id, is_open, opens_at, self.priority, self.turn, now.as_ms()];
            connection.prepare_cached(sql)?.execute(values)?;
            return Ok(());
        }
        let sql = include_str!("../sql/limits/save_lane.sql");
        connection.prepare_cached(sql)?.execute(params![self.id, is_open, opens_at, self.priority, self.turn])?;
        Ok(())
    }
}
