use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use longshore_core::{ClaimRequest, JobId, QueueScope};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column;
use crate::database::column::RawName;
use crate::limits::claim_bounds::ClaimBounds;

/// How many pairs of queue and type one claim visits. Later pairs wait until some of these are empty.
const LANES_MAX: usize = 100_000;

/// The position of a job in the order of claims. The greatest is taken next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// As stored. A lease limits it to the range of a priority.
    pub(crate) priority: i64,
    pub(crate) id: JobId,
    /// Whether the stored priority is a number, so that its row can be found again. Only a program that ignores
    /// constraints writes another value.
    has_number: bool,
}

impl Head {
    /// Reads the priority and the id from these columns.
    pub(crate) fn read(row: &Row<'_>, priority: usize, id: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            priority: column::integer(row, priority)?,
            id: column::id(row, id)?,
            has_number: matches!(row.get_ref(priority)?, ValueRef::Integer(_)),
        })
    }

    /// Where to start reading a run at this job. If the priority is not a number, at the beginning of the run: no
    /// SQLite value sorts before it.
    /// value of SQLite's sorts.
    pub(crate) fn start(self) -> Value {
        if self.has_number { Value::Integer(self.priority) } else { Value::Blob(vec![0xff; 16]) }
    }

    pub(crate) const fn has_number(self) -> bool {
        self.has_number
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.priority.cmp(&other.priority).then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A queue with ready jobs of one type, and the first of them.
#[derive(Debug)]
pub(crate) struct Lane<'r> {
    pub(crate) job_type: &'r str,
    pub(crate) queue: Arc<str>,
    /// The index of its queue in the request, if the request names queues.
    pub(crate) room: Option<usize>,
    pub(crate) head: Head,
}

impl Lane<'_> {
    pub(crate) fn is_paused(&self, connection: &Connection) -> rusqlite::Result<bool> {
        is_paused(connection, &self.queue)
    }
}

/// Whether nothing is claimed from a queue.
pub(crate) fn is_paused(connection: &Connection, queue: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(include_str!("../../sql/claim/is_queue_paused.sql"))?.query_row([queue], |row| row.get(0))
}

/// Where a claim looks for jobs: the pairs of its types and queues that have ready jobs.
#[derive(Debug)]
pub(crate) struct Scope<'r> {
    job_types: &'r [String],
    /// The queues of the request in byte order, with their limits. `None` for all queues.
    named: Option<Vec<(Arc<str>, u32)>>,
}

/// Whether a scan continues.
type Flow = rusqlite::Result<ControlFlow<()>>;

impl<'r> Scope<'r> {
    pub(crate) fn of(request: &'r ClaimRequest) -> Self {
        let named = match &request.scope {
            QueueScope::All => None,
            QueueScope::Only(limits) => {
                // A queue that is given twice counts once. Otherwise its jobs would be chosen twice.
                let limits: BTreeMap<&str, u32> = limits
                    .iter()
                    .map(|limit| (limit.queue.as_str(), limit.limit))
                    .filter(|(_, left)| *left > 0)
                    .collect();
                Some(limits.into_iter().map(|(queue, left)| (Arc::from(queue), left)).collect())
            }
        };
        Self { job_types: &request.job_types, named }
    }

    /// Whether a job of this type in this queue is such as the claim may take.
    pub(crate) fn takes(&self, job_type: &str, queue: &str) -> bool {
        let is_asked = |named: &Vec<(Arc<str>, u32)>| named.binary_search_by(|(name, _)| (**name).cmp(queue)).is_ok();
        self.named.as_ref().is_none_or(is_asked) && self.job_types.iter().any(|own| own == job_type)
    }

    /// The limit of each queue in the request.
    pub(crate) fn rooms(&self) -> Vec<u32> {
        self.named.iter().flatten().map(|(_, left)| *left).collect()
    }

    /// Every lane, including paused ones: a claim checks for pauses only in the lanes that it uses.
    pub(crate) fn lanes(
        &self,
        connection: &Connection,
        bounds: Option<&ClaimBounds>,
    ) -> rusqlite::Result<Vec<Lane<'r>>> {
        let mut lanes = Vec::new();
        self.scan(connection, bounds, &mut |lane| {
            lanes.push(lane);
            Ok(if lanes.len() < LANES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(lanes)
    }

    /// Whether a claim would get a job.
    pub(crate) fn has_ready(
        &self,
        connection: &Connection,
        mut bounds: Option<&mut ClaimBounds>,
    ) -> rusqlite::Result<bool> {
        let mut has_ready = false;
        let skipped = bounds.as_deref().map(|bounds| self.skipped(bounds)).unwrap_or_default();
        self.scan_except(connection, &skipped, &mut |lane| {
            has_ready = !lane.is_paused(connection)? && has_room(connection, bounds.as_deref_mut(), &lane.queue)?;
            Ok(if has_ready { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(has_ready)
    }

    /// The queues in which a lane of this limited type may give a job, with their places in the request.
    pub(crate) fn open_queues(
        &self,
        connection: &Connection,
        job_type: &'r str,
    ) -> rusqlite::Result<Vec<(Arc<str>, Option<usize>)>> {
        let mut queues = Vec::new();
        let each = &mut |lane: Lane<'r>| {
            if !lane.is_paused(connection)? {
                queues.push((lane.queue, lane.room));
            }
            Ok(if queues.len() < LANES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        self.scan_type(connection, job_type, next_open_queue, each).map(drop)?;
        Ok(queues)
    }

    /// The types of the request.
    pub(crate) const fn job_types(&self) -> &'r [String] {
        self.job_types
    }

    /// The types whose jobs in the claim index the limits keep.
    fn skipped(&self, bounds: &ClaimBounds) -> Vec<&'r str> {
        self.job_types.iter().map(String::as_str).filter(|job_type| !bounds.takes_ready(job_type)).collect()
    }

    fn scan(
        &self,
        connection: &Connection,
        bounds: Option<&ClaimBounds>,
        each: &mut dyn FnMut(Lane<'r>) -> Flow,
    ) -> rusqlite::Result<()> {
        let skipped = bounds.map(|bounds| self.skipped(bounds)).unwrap_or_default();
        self.scan_except(connection, &skipped, each)
    }

    fn scan_except(
        &self,
        connection: &Connection,
        skipped: &[&str],
        each: &mut dyn FnMut(Lane<'r>) -> Flow,
    ) -> rusqlite::Result<()> {
        for job_type in self.job_types.iter().filter(|job_type| !skipped.contains(&job_type.as_str())) {
            let flow = self.scan_type(connection, job_type, next_lane, each)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_type(
        &self,
        connection: &Connection,
        job_type: &'r str,
        next: NextQueue,
        each: &mut dyn FnMut(Lane<'r>) -> Flow,
    ) -> Flow {
        match &self.named {
            None => scan_all(connection, job_type, next, each),
            Some(named) => scan_named(connection, job_type, named, next, each),
        }
    }
}

/// The next queue of a type and its first job, from this name on.
type NextQueue = fn(&Connection, &str, &RawName) -> rusqlite::Result<Option<(RawName, Head)>>;

fn has_room(connection: &Connection, bounds: Option<&mut ClaimBounds>, queue: &str) -> rusqlite::Result<bool> {
    let Some(bounds) = bounds else { return Ok(true) };
    bounds.meet_queue(connection, queue)?;
    Ok(bounds.has_room(queue))
}

fn scan_all<'r>(
    connection: &Connection,
    job_type: &'r str,
    next: NextQueue,
    each: &mut dyn FnMut(Lane<'r>) -> Flow,
) -> Flow {
    let mut from = RawName::default();
    while let Some((queue, head)) = next(connection, job_type, &from)? {
        // A queue whose name is not UTF-8 is skipped, because a lease could not name it.
        if let Some(name) = queue.as_str()
            && each(Lane { job_type, queue: name.into(), room: None, head })?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        from = queue.successor();
    }
    Ok(ControlFlow::Continue(()))
}

/// Walks through the queues of the type and the named queues together, so that a queue that is in only one list costs
/// nothing.
fn scan_named<'r>(
    connection: &Connection,
    job_type: &'r str,
    named: &[(Arc<str>, u32)],
    next: NextQueue,
    each: &mut dyn FnMut(Lane<'r>) -> Flow,
) -> Flow {
    let mut place = 0;
    while let Some((name, _)) = named.get(place) {
        let wanted = RawName::of(name);
        let Some((queue, head)) = next(connection, job_type, &wanted)? else { break };
        if queue > wanted {
            place += named[place..].partition_point(|(name, _)| RawName::of(name) < queue);
            continue;
        }
        if each(Lane { job_type, queue: Arc::clone(name), room: Some(place), head })?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        place += 1;
    }
    Ok(ControlFlow::Continue(()))
}

fn next_open_queue(
    connection: &Connection,
    job_type: &str,
    from: &RawName,
) -> rusqlite::Result<Option<(RawName, Head)>> {
    let sql = include_str!("../../sql/limits/select_next_open_queue.sql");
    seek_queue(connection, sql, job_type, from)
}

/// The first queue, from this name on, with ready jobs of the type. A name that sorts before it ends the scan, which
/// would otherwise never advance. Only a database in another encoding can return one.
fn next_lane(connection: &Connection, job_type: &str, from: &RawName) -> rusqlite::Result<Option<(RawName, Head)>> {
    seek_queue(connection, include_str!("../../sql/claim/select_next_lane.sql"), job_type, from)
}

fn seek_queue(
    connection: &Connection,
    sql: &str,
    job_type: &str,
    from: &RawName,
) -> rusqlite::Result<Option<(RawName, Head)>> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![job_type, from], |row| Ok((column::raw_name(row, 0)?, Head::read(row, 1, 2)?)))
        .optional()?;
    Ok(found.filter(|(queue, _)| queue >= from))
}
