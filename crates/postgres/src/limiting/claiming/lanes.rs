use std::collections::{BTreeSet, HashMap};

use longshore_core::Timestamp;
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use super::head::{Head, LaneHeads};
use super::key::Key;
use super::standing::Standing;
use crate::instant::Instant;
use crate::limiting::rules::Rules;
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
    /// Whether others hold lanes of these types and queues.
    pub(super) are_shared: bool,
    keys: HashMap<i64, Key>,
    /// How many of the lanes, from the first one, have been looked at.
    looked_at: usize,
    /// The index of the last lane of each type and queue, if others may follow.
    last_read: HashMap<(String, String), usize>,
}

/// What one statement has locked of a type and queue.
#[derive(Debug, Default)]
struct LockedLine {
    /// How many lanes are open, as far as it was asked to lock them.
    open: i64,
    indexes: Vec<usize>,
}

impl HeldLanes {
    /// Adds the lanes that a statement has locked, without those whose type or queue lets nothing start: the first ones of
    /// each type and queue, `lanes_max` at most.
    pub(super) fn add(
        &mut self,
        rules: &Rules,
        standing: &Standing,
        rows: &[Row],
        lanes_max: i64,
    ) -> Result<(), Error> {
        let held: HashMap<i64, usize> = self.lanes.iter().enumerate().map(|(index, of)| (of.lane, index)).collect();
        let mut lines: HashMap<(String, String), LockedLine> = HashMap::new();
        for row in rows {
            let columns = &mut Columns::of(row);
            let (job_type, queue): (String, String) = (columns.read()?, columns.read()?);
            if !standing.lets_start(&job_type, &queue) {
                continue;
            }
            let line = lines.entry((job_type.clone(), queue.clone())).or_default();
            line.open = columns.read()?;
            let Some(lane) = columns.read::<Option<i64>>()? else { continue };
            let index = match held.get(&lane) {
                Some(index) => *index,
                None => self.push(rules, LaneHeads::read(rules, lane, (job_type, queue), columns)?, columns)?,
            };
            line.indexes.push(index);
        }
        for (line, LockedLine { open, indexes }) in lines {
            let count = i64::try_from(indexes.len()).unwrap_or(i64::MAX);
            self.are_shared |= count < open;
            let last =
                indexes.into_iter().max_by(|one, other| self.lanes[*one].place().cmp(&self.lanes[*other].place()));
            match last.filter(|_| count == lanes_max) {
                Some(last) => self.last_read.insert(line, last),
                None => self.last_read.remove(&line),
            };
        }
        Ok(())
    }

    fn push(&mut self, rules: &Rules, lane: LaneHeads, columns: &mut Columns<'_>) -> Result<usize, Error> {
        let key = Key::read(rules, &lane, columns)?;
        self.keys.entry(lane.key_id).or_insert(key);
        self.lanes.push(lane);
        Ok(self.lanes.len() - 1)
    }

    /// The last lane of each type and queue that was read, where others may follow.
    pub(super) fn last_read(&self) -> impl Iterator<Item = &LaneHeads> {
        self.last_read.values().map(|index| &self.lanes[*index])
    }

    /// Reads the first jobs of each new lane, `room` at most, and how many of each key run.
    pub(super) async fn look(&mut self, session: &Session, room: u32) -> Result<(), Error> {
        let (from, new) = (self.looked_at, &self.lanes[self.looked_at..]);
        if new.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = new.iter().map(|lane| lane.lane).collect();
        // A claim takes so few of most lanes that it need not see as many of each as it has room for.
        let fair = (HEADS_MAX / u32::try_from(new.len()).unwrap_or(HEADS_MAX)).max(HEADS_MIN);
        let at_most: Vec<u32> = new.iter().map(|lane| self.keys[&lane.key_id].at_most(room)).collect();
        let rooms: Vec<i64> = at_most.iter().map(|room| i64::from((*room).min(fair))).collect();
        let is_counted = |key: &i64| self.keys[key].is_counted();
        let counted: BTreeSet<i64> = new.iter().map(|lane| lane.key_id).filter(is_counted).collect();
        let counted: Vec<i64> = counted.into_iter().collect();
        let (heads, keys) =
            ([(&numbers as _, Type::INT8_ARRAY), (&rooms as _, Type::INT8_ARRAY)], [(&counted as _, Type::INT8_ARRAY)]);
        let calls = [
            Call { sql: sql!("limiting/select_heads"), parameters: &heads },
            Call { sql: sql!("limiting/count_keys"), parameters: &keys },
        ];
        let answers = session.pipeline(&calls).await?;
        let indexes: HashMap<i64, usize> = numbers.iter().zip(from..).map(|(lane, index)| (*lane, index)).collect();
        for row in &answers[0] {
            let columns = &mut Columns::of(row);
            let lane: i64 = columns.read()?;
            let head = Head { rank: columns.read()?, again: columns.read()?, id: columns.read()? };
            self.lanes[indexes[&lane]].heads.push(head);
        }
        for (lane, at_most) in self.lanes[from..].iter_mut().zip(at_most) {
            lane.is_cut = at_most > fair && lane.heads.len() == fair as usize;
        }
        for row in &answers[1] {
            let columns = &mut Columns::of(row);
            let key_id: i64 = columns.read()?;
            if let Some(key) = self.keys.get_mut(&key_id) {
                key.count(columns)?;
            }
        }
        self.looked_at = self.lanes.len();
        Ok(())
    }

    /// How many jobs of each key may start.
    pub(super) fn rooms(&self, now: Timestamp) -> HashMap<i64, u32> {
        self.keys.iter().filter_map(|(id, key)| Some((*id, key.room(now)?))).collect()
    }

    /// A job of this lane was started.
    pub(super) fn start(&mut self, index: usize) {
        if let Some(key) = self.keys.get_mut(&self.lanes[index].key_id) {
            key.started += 1;
        }
    }

    /// The key of the lane, as its jobs have it while they run; none for the jobs without a key.
    pub(super) fn key_of(&self, index: usize) -> Option<i64> {
        let lane = &self.lanes[index];
        (!lane.limit_key.is_empty()).then_some(lane.key_id)
    }

    /// Writes what the claim leaves: the turns of the lanes, their first jobs, and which of them give nothing for now.
    pub(super) async fn settle(
        &self,
        session: &Session,
        turns: &[i64],
        claim_number: Option<i64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mut key_ids, mut arrivals, mut counted_from) = (Vec::new(), Vec::new(), Vec::new());
        // Both statements find a row's values by a binary search.
        let mut started: Vec<_> = self.keys.iter().filter(|(_, key)| key.started > 0).collect();
        started.sort_by_key(|(key_id, _)| **key_id);
        for (key_id, key) in started {
            key_ids.push(*key_id);
            arrivals.push(key.arrival_after(now).0);
            // Whoever did not count does not know where the others begin.
            counted_from.push(if key.is_counted() { key.first_claim.or(claim_number) } else { None });
        }
        let (mut lanes, mut new_turns, mut are_full, mut open) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut sorted: Vec<_> = self.lanes.iter().enumerate().collect();
        sorted.sort_by_key(|(_, lane)| lane.lane);
        for (index, lane) in sorted {
            let key = &self.keys[&lane.key_id];
            let opens_at = key.opens_at(now);
            let gave = turns[index] != lane.turn;
            let gives_nothing = lane.heads.is_empty() || key.is_full() || opens_at.is_some();
            if gave || gives_nothing || lane.is_misplaced() {
                lanes.push(lane.lane);
                new_turns.push(turns[index]);
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

#[cfg(test)]
impl HeldLanes {
    pub(super) fn of(lanes: Vec<LaneHeads>) -> Self {
        Self { lanes, ..Self::default() }
    }

    /// The same if others may follow this lane.
    pub(super) fn with_last_read(mut self, index: usize) -> Self {
        let lane = &self.lanes[index];
        self.last_read.insert((lane.job_type.clone(), lane.queue.clone()), index);
        self
    }
}
