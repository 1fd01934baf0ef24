use std::collections::HashMap;
use std::sync::Arc;

use longshore_core::{Arrival, ClaimRequest, Status, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::limits::limit_set::{LimitSet, TypeLimit};
use crate::upkeep::counts::Counts;

/// What the limits leave free for one claim. Read once; what the claim takes is subtracted here and written at its end.
#[derive(Debug)]
pub(crate) struct ClaimBounds {
    set: Arc<LimitSet>,
    types: HashMap<String, TypeBound>,
    /// What is free in each limited queue that the claim has met.
    queues: HashMap<String, u32>,
    /// By how many the running jobs of limited queues differ from the stored counts, by this transaction.
    unwritten: HashMap<String, i64>,
    /// How many jobs under a limit the worker starts at once.
    limited_left: u32,
    /// Whether jobs may still stand in the wrong place, from before a change of a rule.
    is_unsorted: bool,
    now: Timestamp,
}

#[derive(Debug)]
struct TypeBound {
    limit: Arc<TypeLimit>,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    turn: i64,
    running: u32,
    has_started: bool,
    /// Those of its keys that the claim has met.
    keys: HashMap<String, KeyBound>,
}

/// A key and its rate, over all queues.
#[derive(Debug)]
struct KeyBound {
    running: u32,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    has_started: bool,
}

/// Why a lane gives nothing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// As many of its key run as may.
    Full,
    /// Until this instant.
    Until(Timestamp),
}

impl ClaimBounds {
    /// Reads the state of the limited types of a request.
    pub(crate) fn read(
        connection: &Connection,
        set: Arc<LimitSet>,
        request: &ClaimRequest,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let mut types = HashMap::new();
        for job_type in request.job_types.iter() {
            if let Some(limit) = set.of_type(job_type) {
                types.insert(job_type.clone(), TypeBound::read(connection, limit)?);
            }
        }
        let (queues, unwritten) = (HashMap::new(), HashMap::new());
        Ok(Self { set, types, queues, unwritten, limited_left: request.limited_max, is_unsorted: false, now })
    }

    /// The claim has sorted as many jobs and lanes as it may, so there may be more.
    pub(crate) const fn leave_unsorted(&mut self) {
        self.is_unsorted = true;
    }

    /// Whether the next claim may find jobs that this one has not sorted.
    pub(crate) const fn is_unsorted(&self) -> bool {
        self.is_unsorted
    }

    /// Adds changes of this transaction that the stored counts do not have yet.
    pub(crate) fn add_unwritten(&mut self, counts: &Counts) {
        if counts.is_empty() {
            return;
        }
        for queue in self.set.queues() {
            let change = counts.change_of(queue, Status::Running);
            if change != 0 {
                *self.unwritten.entry(queue.to_owned()).or_default() += change;
            }
        }
    }

    /// Reads what is free in a limited queue. Call it before [`ClaimBounds::has_room`] for each queue of the claim.
    pub(crate) fn meet_queue(&mut self, connection: &Connection, queue: &str) -> rusqlite::Result<()> {
        let Some(concurrency) = self.set.of_queue(queue).filter(|_| !self.queues.contains_key(queue)) else {
            return Ok(());
        };
        let stored: Option<i64> = connection
            .prepare_cached(include_str!("../sql/limits/select_depth.sql"))?
            .query_row([queue, Status::Running.as_str()], |row| column::integer(row, 0))
            .optional()?;
        let unwritten = self.unwritten.get(queue).copied().unwrap_or(0);
        let running = u32::try_from(stored.unwrap_or(0).saturating_add(unwritten).max(0)).unwrap_or(u32::MAX);
        self.queues.insert(queue.to_owned(), concurrency.saturating_sub(running));
        Ok(())
    }

    /// Whether the queue leaves room, as far as it is limited.
    pub(crate) fn has_room(&self, queue: &str) -> bool {
        self.queues.get(queue).is_none_or(|left| *left > 0 && self.limited_left > 0)
    }

    /// A job of this queue was taken; of a type with lanes if `is_limited`.
    pub(crate) fn take_room(&mut self, queue: &str, is_limited: bool) {
        let left = self.queues.get_mut(queue);
        if is_limited || left.is_some() {
            self.limited_left = self.limited_left.saturating_sub(1);
        }
        if let Some(left) = left {
            *left = left.saturating_sub(1);
        }
    }

    /// Whether jobs of this type may be taken from the claim index: it has no lanes, and is not closed.
    pub(crate) fn takes_ready(&self, job_type: &str) -> bool {
        self.types.get(job_type).is_none_or(|bound| !bound.limit.has_lanes() && bound.opens_at(self.now).is_none())
    }

    /// The limited types of the request that may start a job now.
    pub(crate) fn open_types(&self) -> Vec<Arc<TypeLimit>> {
        if self.limited_left == 0 {
            return Vec::new();
        }
        self.types.values().filter(|bound| bound.is_open(self.now)).map(|bound| Arc::clone(&bound.limit)).collect()
    }

    /// The limited types of the request.
    pub(crate) fn types(&self) -> Vec<Arc<TypeLimit>> {
        self.types.values().map(|bound| Arc::clone(&bound.limit)).collect()
    }

    /// Whether one more job of this type may start.
    pub(crate) fn is_open(&self, job_type: &str) -> bool {
        self.limited_left > 0 && self.types.get(job_type).is_some_and(|bound| bound.is_open(self.now))
    }

    /// Why no job of this key may start now.
    pub(crate) fn closing_of(
        &mut self,
        connection: &Connection,
        limit: &TypeLimit,
        key: &str,
    ) -> rusqlite::Result<Option<Closed>> {
        if key.is_empty() {
            return Ok(None);
        }
        let now = self.now;
        let bound = self.key(connection, limit, key)?;
        if limit.rule.key_concurrency.is_some_and(|concurrency| bound.running >= concurrency) {
            return Ok(Some(Closed::Full));
        }
        let paced = limit.rule.key_pace().and_then(|pace| pace.opens_at(bound.arrival, now));
        let closed = bound.closed_until.filter(|until| *until > now);
        Ok(paced.max(closed).map(Closed::Until))
    }

    /// Counts the start of a job, and gives the next turn of its lane.
    pub(crate) fn start(
        &mut self,
        connection: &Connection,
        limit: &TypeLimit,
        key: &str,
        turn: i64,
    ) -> rusqlite::Result<i64> {
        let now = self.now;
        let key_name = (!key.is_empty()).then_some(key);
        let begun = match self.types.get_mut(&limit.job_type) {
            None => turn,
            Some(bound) => {
                bound.running = bound.running.saturating_add(1);
                bound.has_started = true;
                if let Some(pace) = limit.rule.pace() {
                    bound.arrival = pace.after(bound.arrival, now, 1);
                }
                bound.turn = bound.turn.max(turn);
                bound.turn
            }
        };
        if !key.is_empty() {
            let pace = limit.rule.key_pace();
            let bound = self.key(connection, limit, key)?;
            bound.running = bound.running.saturating_add(1);
            if let Some(pace) = pace {
                bound.arrival = pace.after(bound.arrival, now, 1);
                bound.has_started = true;
            }
        }
        Ok(begun.saturating_add(limit.rule.stride(key_name)))
    }

    fn key(&mut self, connection: &Connection, limit: &TypeLimit, key: &str) -> rusqlite::Result<&mut KeyBound> {
        let of_type = self.types.get_mut(&limit.job_type);
        let keys = &mut of_type.expect("lanes are read of the types of the claim alone").keys;
        if !keys.contains_key(key) {
            keys.insert(key.to_owned(), KeyBound::read(connection, limit, key)?);
        }
        Ok(keys.get_mut(key).expect("it was inserted if it was missing"))
    }

    /// Writes the rates and turns of what was started.
    pub(crate) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        for bound in self.types.values().filter(|bound| bound.has_started) {
            connection.prepare_cached(include_str!("../sql/limits/save_type_state.sql"))?.execute(params![
                bound.limit.number,
                bound.arrival.0,
                bound.turn
            ])?;
        }
        for of_type in self.types.values() {
            for (key, bound) in of_type.keys.iter().filter(|(_, bound)| bound.has_started) {
                connection.prepare_cached(include_str!("../sql/limits/save_key_arrival.sql"))?.execute(params![
                    of_type.limit.job_type,
                    key,
                    bound.arrival.0
                ])?;
            }
        }
        Ok(())
    }

    /// When the next closed type or lane of the request opens.
    pub(crate) fn next_opening(&self, connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
        let mut next: Option<Timestamp> = None;
        for bound in self.types.values() {
            let of_type = match bound.opens_at(self.now) {
                Some(at) => bound.limit.has_waiting(connection)?.then_some(at),
                None => bound.limit.first_opening(connection)?,
            };
            next = next.into_iter().chain(of_type).min();
        }
        Ok(next)
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }
}

impl TypeBound {
    fn read(connection: &Connection, limit: &Arc<TypeLimit>) -> rusqlite::Result<Self> {
        let (arrival, closed_until, turn) = connection
            .prepare_cached(include_str!("../sql/limits/select_type_state.sql"))?
            .query_row([limit.number], |row| {
                Ok((column::integer(row, 0)?, column::optional_timestamp(row, 1)?, column::integer(row, 2)?))
            })
            .optional()?
            .unwrap_or_default();
        let running = limit.rule.concurrency.map_or(Ok(0), |concurrency| limit.running(connection, concurrency))?;
        Ok(Self {
            limit: Arc::clone(limit),
            arrival: Arrival(arrival),
            closed_until,
            turn,
            running,
            has_started: false,
            keys: HashMap::new(),
        })
    }

    fn is_open(&self, now: Timestamp) -> bool {
        let is_full = self.limit.rule.concurrency.is_some_and(|concurrency| self.running >= concurrency);
        !is_full && self.opens_at(now).is_none()
    }

    fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let paced = self.limit.rule.pace().and_then(|pace| pace.opens_at(self.arrival, now));
        paced.max(self.closed_until.filter(|until| *until > now))
    }
}

impl TypeLimit {
    /// How many of its jobs run, as far as `limit`.
    pub(crate) fn running(&self, connection: &Connection, limit: u32) -> rusqlite::Result<u32> {
        let (from, to) = self.lane_bounds();
        connection
            .prepare_cached(include_str!("../sql/limits/count_running_of_type.sql"))?
            .query_row(params![from, to, limit], |row| column::count(row, 0))
    }

    /// Whether any of its jobs may be ready: a lane is open, or jobs stand in the claim index.
    fn has_waiting(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let has_open = connection
            .prepare_cached(include_str!("../sql/limits/select_next_open_queue.sql"))?
            .exists(params![self.job_type, ""])?;
        Ok(has_open
            || connection
                .prepare_cached(include_str!("../sql/limits/select_stray_jobs.sql"))?
                .exists(params![self.job_type, 1])?)
    }

    fn first_opening(&self, connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
        connection
            .prepare_cached(include_str!("../sql/limits/select_first_opening.sql"))?
            .query_row([&self.job_type], |row| column::timestamp(row, 0))
            .optional()
    }
}

impl KeyBound {
    fn read(connection: &Connection, limit: &TypeLimit, key: &str) -> rusqlite::Result<Self> {
        let counted = limit.rule.key_concurrency.unwrap_or(0);
        connection.prepare_cached(include_str!("../sql/limits/select_key_state.sql"))?.query_row(
            params![limit.job_type, key, counted],
            |row| {
                Ok(Self {
                    running: column::count(row, 0)?,
                    arrival: Arrival(column::integer(row, 1)?),
                    closed_until: column::optional_timestamp(row, 2)?,
                    has_started: false,
                })
            },
        )
    }
}

/// The earlier of two instants, as far as there are any.
pub(crate) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
