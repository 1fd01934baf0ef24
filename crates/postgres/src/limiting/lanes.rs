use std::collections::HashMap;

use longshore_core::{Arrival, LimitRule, Timestamp};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use super::head::{Head, LaneHeads};
use super::rules::Rules;
use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Call, Session};

/// How many jobs a claim reads from its lanes together, and from each at least.
const HEADS_MAX: u32 = 4096;
const HEADS_MIN: u32 = 8;

/// The lanes that a claim holds, and what it leaves of them.
#[derive(Debug, Default)]
pub(super) struct HeldLanes {
    pub(super) lanes: Vec<LaneHeads>,
    keys: HashMap<i64, Key>,
}

/// A key of a type, and what it holds.
#[derive(Debug)]
struct Key {
    rule: LimitRule,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    running: u32,
    first_claim: Option<i64>,
    /// How many jobs of it this claim has started.
    started: u32,
}

impl HeldLanes {
    pub(super) fn read(rules: &Rules, rows: &[Row]) -> Result<Self, Error> {
        let mut held = Self::default();
        for row in rows {
            let columns = &mut Columns::of(row);
            let (lane, key_id, job_type, queue): (i64, i64, String, String) =
                (columns.read()?, columns.read()?, columns.read()?, columns.read()?);
            let (turn, limit_key): (i64, String) = (columns.read()?, columns.read()?);
            let (arrival, closed_until) = (Arrival(columns.read()?), columns.optional_instant()?);
            let rule = rules.of_type(&job_type).map(|of| of.rule.clone()).unwrap_or_default();
            let named = Some(limit_key.as_str()).filter(|key| !key.is_empty());
            let stride = rule.stride(named);
            let rule = named.map(|_| rule).unwrap_or_default();
            let key = Key { rule, arrival, closed_until, running: 0, first_claim: None, started: 0 };
            held.keys.entry(key_id).or_insert(key);
            held.lanes.push(LaneHeads {
                lane,
                key_id,
                job_type,
                queue,
                limit_key,
                turn,
                stride,
                heads: Vec::new(),
                is_cut: false,
            });
        }
        Ok(held)
    }

    /// Reads the first jobs of each lane, `room` at most, and how many of each key run.
    pub(super) async fn look(&mut self, session: &Session, room: u32) -> Result<(), Error> {
        if self.lanes.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = self.lanes.iter().map(|lane| lane.lane).collect();
        // A claim takes so few of most lanes that it need not see as many of each as it has room for.
        let fair = (HEADS_MAX / u32::try_from(self.lanes.len()).unwrap_or(HEADS_MAX)).max(HEADS_MIN);
        let at_most: Vec<u32> = self.lanes.iter().map(|lane| self.keys[&lane.key_id].at_most(room)).collect();
        let rooms: Vec<i64> = at_most.iter().map(|room| i64::from((*room).min(fair))).collect();
        let counted: Vec<i64> = self.keys.iter().filter(|(_, key)| key.is_counted()).map(|(id, _)| *id).collect();
        let (heads, keys) =
            ([(&numbers as _, Type::INT8_ARRAY), (&rooms as _, Type::INT8_ARRAY)], [(&counted as _, Type::INT8_ARRAY)]);
        let calls = [
            Call { sql: sql!("limiting/select_heads"), parameters: &heads },
            Call { sql: sql!("limiting/count_keys"), parameters: &keys },
        ];
        let answers = session.pipeline(&calls).await?;
        let places: HashMap<i64, usize> = numbers.iter().enumerate().map(|(place, lane)| (*lane, place)).collect();
        for row in &answers[0] {
            let columns = &mut Columns::of(row);
            let lane: i64 = columns.read()?;
            let head = Head { rank: columns.read()?, again: columns.read()?, id: columns.read()? };
            self.lanes[places[&lane]].heads.push(head);
        }
        for (lane, at_most) in self.lanes.iter_mut().zip(at_most) {
            lane.is_cut = at_most > fair && lane.heads.len() == fair as usize;
        }
        for row in &answers[1] {
            let columns = &mut Columns::of(row);
            let key_id: i64 = columns.read()?;
            if let Some(key) = self.keys.get_mut(&key_id) {
                key.running = u32::try_from(columns.read::<i64>()?).unwrap_or(u32::MAX);
                key.first_claim = columns.read()?;
            }
        }
        Ok(())
    }

    /// How many jobs of each key may start.
    pub(super) fn rooms(&self, now: Timestamp) -> HashMap<i64, u32> {
        self.keys.iter().filter_map(|(id, key)| Some((*id, key.room(now)?))).collect()
    }

    /// A job of this lane was started.
    pub(super) fn start(&mut self, place: usize) {
        if let Some(key) = self.keys.get_mut(&self.lanes[place].key_id) {
            key.started += 1;
        }
    }

    /// The key of the lane, as its jobs have it while they run; none for the jobs without a key.
    pub(super) fn key_of(&self, place: usize) -> Option<i64> {
        let lane = &self.lanes[place];
        (!lane.limit_key.is_empty()).then_some(lane.key_id)
    }

    /// Writes what the claim leaves: the turns of the lanes, and which of them give nothing for now.
    pub(super) async fn settle(
        &self,
        session: &Session,
        turns: &[i64],
        claim_number: Option<i64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mut key_ids, mut arrivals, mut counted_from) = (Vec::new(), Vec::new(), Vec::new());
        for (key_id, key) in self.keys.iter().filter(|(_, key)| key.started > 0) {
            key_ids.push(*key_id);
            arrivals.push(key.arrival_after(now).0);
            // Whoever did not count does not know where the others begin.
            counted_from.push(if key.is_counted() { key.first_claim.or(claim_number) } else { None });
        }
        let (mut lanes, mut new_turns, mut are_full, mut open) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, lane) in self.lanes.iter().enumerate() {
            let key = &self.keys[&lane.key_id];
            let opens_at = key.opens_at(now);
            let gave = turns[place] != lane.turn;
            if gave || lane.heads.is_empty() || key.is_full() || opens_at.is_some() {
                lanes.push(lane.lane);
                new_turns.push(turns[place]);
                are_full.push(key.is_full());
                open.push(opens_at.map(Instant));
            }
        }
        if lanes.is_empty() {
            return Ok(());
        }
        let of_keys = [
            (&key_ids as _, Type::INT8_ARRAY),
            (&arrivals as _, Type::INT8_ARRAY),
            (&counted_from as _, Type::INT8_ARRAY),
        ];
        let of_lanes = [
            (&lanes as _, Type::INT8_ARRAY),
            (&new_turns as _, Type::INT8_ARRAY),
            (&are_full as _, Type::BOOL_ARRAY),
            (&open as _, Type::TIMESTAMPTZ_ARRAY),
        ];
        let calls = [
            Call { sql: sql!("limiting/settle_lanes"), parameters: &of_lanes },
            Call { sql: sql!("limiting/settle_keys"), parameters: &of_keys },
        ];
        session.pipeline(&calls[..if key_ids.is_empty() { 1 } else { 2 }]).await?;
        Ok(())
    }
}

impl Key {
    /// The jobs without a key have a rule that limits nothing.
    const fn is_counted(&self) -> bool {
        self.rule.key_concurrency.is_some()
    }

    fn at_most(&self, room: u32) -> u32 {
        self.rule.key_concurrency.map_or(room, |concurrency| concurrency.min(room))
    }

    fn room(&self, now: Timestamp) -> Option<u32> {
        if self.closed_until.is_some_and(|at| at > now) {
            return Some(0);
        }
        let places = self.rule.key_concurrency.map(|concurrency| concurrency.saturating_sub(self.running));
        let starts = self.rule.key_pace().map(|pace| pace.free(self.arrival, now));
        places.into_iter().chain(starts).min()
    }

    fn arrival_after(&self, now: Timestamp) -> Arrival {
        self.rule.key_pace().map_or(self.arrival, |pace| pace.after(self.arrival, now, self.started))
    }

    fn is_full(&self) -> bool {
        self.rule.key_concurrency.is_some_and(|concurrency| self.running.saturating_add(self.started) >= concurrency)
    }

    /// When it gives again: after its rate and after whoever asked to slow down.
    fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let by_rate = self.rule.key_pace().and_then(|pace| pace.opens_at(self.arrival_after(now), now));
        by_rate.max(self.closed_until.filter(|at| *at > now))
    }
}
