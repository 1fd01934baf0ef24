use std::collections::HashMap;

use longshore_core::{Arrival, ClaimRequest, LimitRule, QueueScope, Timestamp};
use tokio_postgres::{Error, Row};

use super::admission::{Rooms, Turns};
use super::head::LaneHeads;
use crate::limiting::rules::{Involved, QUEUE, Rules};
use crate::session::columns::Columns;

/// What the limits of a claim hold.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) now: Timestamp,
    pub(super) limits: Vec<Limit>,
}

/// A limit of a queue or a type, and what it holds.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) limit_id: i64,
    pub(super) is_queue: bool,
    pub(super) name: String,
    pub(super) rule: LimitRule,
    pub(super) arrival: Arrival,
    closed_until: Option<Timestamp>,
    pub(super) turn: i64,
    pub(super) running: u32,
    pub(super) first_claim: Option<i64>,
    /// Another claim has locked it.
    pub(super) is_busy: bool,
}

/// Whether anything may start under a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// So many may start; none for any number.
    Open(Option<u32>),
    /// All places are taken.
    Full,
    /// Nothing starts before this instant.
    At(Timestamp),
    /// Another claim is about to start some.
    Busy,
}

impl Standing {
    pub(super) fn read(rules: &Rules, now: Timestamp, locked: &[Row], rows: &[Row]) -> Result<Self, Error> {
        let locked: Vec<i64> = locked.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut limits = Vec::with_capacity(rows.len());
        for row in rows {
            let columns = &mut Columns::of(row);
            let (limit_id, scope, name): (i64, i16, String) = (columns.read()?, columns.read()?, columns.read()?);
            let is_queue = scope == QUEUE;
            let rule = match is_queue {
                true => rules.of_queue(&name).cloned(),
                false => rules.of_type(&name).map(|of| of.rule.clone()),
            };
            let rule = rule.unwrap_or_default();
            let is_busy = needs_lock(&rule) && !locked.contains(&limit_id);
            limits.push(Limit {
                limit_id,
                is_queue,
                name,
                rule,
                arrival: Arrival(columns.read()?),
                closed_until: columns.optional_instant()?,
                turn: columns.read()?,
                running: u32::try_from(columns.read::<i64>()?).unwrap_or(u32::MAX),
                first_claim: columns.read()?,
                is_busy,
            });
        }
        Ok(Self { now, limits })
    }

    /// The limits that a claim must lock before it counts: those whose numbers it changes.
    pub(super) fn to_lock(rules: &Rules, involved: &Involved) -> Involved {
        let types = involved.types.iter().filter(|name| rules.of_type(name).is_some_and(|of| needs_lock(&of.rule)));
        let queues = involved.queues.iter().filter(|name| rules.of_queue(name).is_some_and(needs_lock));
        Involved { types: types.cloned().collect(), queues: queues.cloned().collect() }
    }

    pub(super) fn closed(&self, is_queue: bool) -> Vec<String> {
        let of_scope = self.limits.iter().filter(|limit| limit.is_queue == is_queue);
        of_scope.filter(|limit| !limit.opening(self.now).is_open()).map(|limit| limit.name.clone()).collect()
    }

    /// Whether the limits of this type and queue let anything start.
    pub(super) fn lets_start(&self, job_type: &str, queue: &str) -> bool {
        let is_of = |limit: &&Limit| limit.name == if limit.is_queue { queue } else { job_type };
        self.limits.iter().filter(is_of).all(|limit| limit.opening(self.now).is_open())
    }

    pub(super) fn rooms(&self, request: &ClaimRequest, total: u32, limited: u32) -> Rooms {
        let mut rooms = Rooms { total, limited, ..Rooms::default() };
        for limit in &self.limits {
            let room = match limit.opening(self.now) {
                Opening::Open(None) => continue,
                Opening::Open(Some(room)) => room,
                _ => 0,
            };
            let of_scope = if limit.is_queue { &mut rooms.queues } else { &mut rooms.types };
            of_scope.insert(limit.name.clone(), room);
        }
        if let QueueScope::Only(queues) = &request.scope {
            rooms.scope = queues.iter().map(|queue| (queue.queue.clone(), queue.limit)).collect();
        }
        rooms
    }

    pub(super) fn turns(&self, lanes: &[LaneHeads]) -> Turns {
        let types: HashMap<_, _> =
            self.limits.iter().filter(|limit| !limit.is_queue).map(|limit| (limit.name.clone(), limit.turn)).collect();
        Turns { lanes: lanes.iter().map(|lane| lane.turn).collect(), types }
    }
}

impl Limit {
    /// Whether starts change what its row says.
    pub(super) fn has_numbers(&self) -> bool {
        needs_lock(&self.rule)
    }

    pub(super) fn opening(&self, now: Timestamp) -> Opening {
        if let Some(at) = self.closed_until.filter(|at| *at > now) {
            return Opening::At(at);
        }
        if self.is_busy {
            return Opening::Busy;
        }
        let places = self.rule.concurrency.map(|concurrency| concurrency.saturating_sub(self.running));
        if places == Some(0) {
            return Opening::Full;
        }
        let starts = self.rule.pace().map(|pace| pace.free(self.arrival, now));
        if starts == Some(0) {
            let at = self.rule.pace().and_then(|pace| pace.opens_at(self.arrival, now));
            return Opening::At(at.unwrap_or(now));
        }
        Opening::Open(places.into_iter().chain(starts).min())
    }
}

impl Opening {
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Open(_))
    }
}

fn needs_lock(rule: &LimitRule) -> bool {
    rule.concurrency.is_some() || rule.rate.is_some()
}
