use longshore_core::{Arrival, LimitRule, Timestamp};
use tokio_postgres::Error;

use super::head::LaneHeads;
use crate::limiting::rules::Rules;
use crate::session::columns::Columns;

/// A key of a type, and what it holds.
#[derive(Debug)]
pub(super) struct Key {
    rule: LimitRule,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    running: u32,
    pub(super) first_claim: Option<i64>,
    /// How many jobs of it this claim has started.
    pub(super) started: u32,
}

impl Key {
    /// From the last columns of a row with one of its lanes.
    pub(super) fn read(rules: &Rules, lane: &LaneHeads, columns: &mut Columns<'_>) -> Result<Self, Error> {
        let of_type = rules.of_type(&lane.job_type).filter(|_| !lane.limit_key.is_empty());
        Ok(Self {
            rule: of_type.map(|of| of.rule.clone()).unwrap_or_default(),
            arrival: Arrival(columns.read()?),
            closed_until: columns.optional_instant()?,
            running: 0,
            first_claim: None,
            started: 0,
        })
    }

    /// Reads how many of it run.
    pub(super) fn count(&mut self, columns: &mut Columns<'_>) -> Result<(), Error> {
        self.running = u32::try_from(columns.read::<i64>()?).unwrap_or(u32::MAX);
        self.first_claim = columns.read()?;
        Ok(())
    }

    /// The jobs without a key have a rule that limits nothing.
    pub(super) const fn is_counted(&self) -> bool {
        self.rule.key_concurrency.is_some()
    }

    pub(super) fn at_most(&self, room: u32) -> u32 {
        self.rule.key_concurrency.map_or(room, |concurrency| concurrency.min(room))
    }

    pub(super) fn room(&self, now: Timestamp) -> Option<u32> {
        if self.closed_until.is_some_and(|at| at > now) {
            return Some(0);
        }
        let places = self.rule.key_concurrency.map(|concurrency| concurrency.saturating_sub(self.running));
        let starts = self.rule.key_pace().map(|pace| pace.free(self.arrival, now));
        places.into_iter().chain(starts).min()
    }

    pub(super) fn arrival_after(&self, now: Timestamp) -> Arrival {
        self.rule.key_pace().map_or(self.arrival, |pace| pace.after(self.arrival, now, self.started))
    }

    pub(super) fn is_full(&self) -> bool {
        self.rule.key_concurrency.is_some_and(|concurrency| self.running.saturating_add(self.started) >= concurrency)
    }

    /// When it gives again: after its rate and after whoever asked to slow down.
    pub(super) fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let by_rate = self.rule.key_pace().and_then(|pace| pace.opens_at(self.arrival_after(now), now));
        by_rate.max(self.closed_until.filter(|at| *at > now))
    }
}
