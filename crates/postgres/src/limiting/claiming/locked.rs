use longshore_core::Timestamp;
use postgres_types::Type;
use tokio_postgres::Row;

use super::LimitedClaim;
use super::admission::{Admission, Choice};
use super::lanes::HeldLanes;
use super::standing::Standing;
use crate::limiting::rules::Involved;
use crate::limiting::sorting::Kinds;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};

/// How many lanes of each type and queue a claim looks at, first as many as jobs may start. An open lane may give nothing.
/// Then it looks at more of them, because the next one may come before all jobs of other queues.
const LANES_MAX: i64 = 512;
const LANES_GROWTH: i64 = 8;

/// What a claim has locked, and what that has room for.
pub(super) struct Locked {
    pub(super) transaction: Transaction,
    pub(super) standing: Standing,
    pub(super) lanes: HeldLanes,
    /// The types and queues in which nothing starts: by their limits, or because nothing waits outside of lanes.
    pub(super) closed_types: Vec<String>,
    pub(super) closed_queues: Vec<String>,
}

impl Locked {
    /// None if the rules are other ones.
    pub(super) async fn begin(claim: &LimitedClaim<'_>) -> Result<Option<Self>, Fault> {
        let LimitedClaim { values, rules, involved, kinds, .. } = claim;
        let to_lock = Standing::to_lock(rules, involved);
        let (locks, limits) = (kinds_of(&to_lock), kinds_of(involved));
        let lanes_max = i64::from(values.limited_room()).min(LANES_MAX);
        let of_lanes = lanes_of(&kinds.keyed, &values.queues, &lanes_max);
        let with_rule = Kinds::of_plain(kinds, &involved.types);
        let unlaned: Vec<&String> = values.job_types.iter().filter(|name| !kinds.keyed.contains(name)).collect();
        let idle: [Parameter<'_>; 3] =
            [(&with_rule, Type::TEXT_ARRAY), (&involved.queues, Type::TEXT_ARRAY), (&unlaned, Type::TEXT_ARRAY)];
        let calls = [
            Call { sql: sql!("limiting/hold_running"), parameters: &[] },
            Call { sql: sql!("limiting/lock_limits"), parameters: &locks },
            Call { sql: sql!("limiting/select_open_lanes"), parameters: &of_lanes },
            Call { sql: sql!("limiting/read_limits"), parameters: &limits },
            Call { sql: sql!("limiting/select_version"), parameters: &[] },
            Call { sql: sql!("limiting/select_idle"), parameters: &idle },
        ];
        let (transaction, answers) = claim.parts.pool.begin_with(&calls).await?;
        let Some((version, now)) = version(&answers[4])? else { return Ok(None) };
        if version != rules.version {
            return Ok(None);
        }
        let standing = Standing::read(rules, now, &answers[1], &answers[3])?;
        let (closed_types, closed_queues) = (standing.closed(false), standing.closed(true));
        let lanes = HeldLanes::default();
        let mut locked = Self { transaction, standing, lanes, closed_types, closed_queues };
        locked.lanes.add(rules, &locked.standing, &answers[2], lanes_max)?;
        locked.close_idle(&answers[5])?;
        Ok(Some(locked))
    }

    fn close_idle(&mut self, rows: &[Row]) -> Result<(), Fault> {
        for row in rows {
            let (name, is_queue): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
            if !is_queue {
                self.closed_types.push(name);
            } else if self.lanes.lanes.iter().all(|lane| lane.queue != name) {
                self.closed_queues.push(name);
            }
        }
        Ok(())
    }

    /// Chooses what to take. Reads more lanes until it is known which jobs come first, or until there are enough for one
    /// round.
    pub(super) async fn choose(&mut self, claim: &LimitedClaim<'_>) -> Result<Choice, Fault> {
        let LimitedClaim { values, request, rules, .. } = claim;
        let (room, limited_room) = (values.room(), values.limited_room());
        let candidates = self.candidates(claim).await?;
        let mut lanes_max = i64::from(limited_room).min(LANES_MAX);
        loop {
            self.lanes.look(&self.transaction, limited_room).await?;
            let mut rooms = self.standing.rooms(request, room, limited_room);
            rooms.keys = self.lanes.rooms(self.standing.now);
            values.narrow(&mut rooms.scope);
            let turns = self.standing.turns(&self.lanes.lanes);
            let choice = Admission::new(rooms, candidates.clone(), &self.lanes, turns).choose();
            if choice.unread.is_empty() || lanes_max == LANES_MAX {
                return Ok(choice);
            }
            lanes_max = (lanes_max * LANES_GROWTH).min(LANES_MAX);
            let (types, queues): (Vec<String>, Vec<String>) = choice.unread.into_iter().unzip();
            let queues = Some(queues);
            let of_lanes = lanes_of(&types, &queues, &lanes_max);
            let rows = self.transaction.query(sql!("limiting/select_open_lanes"), &of_lanes).await?;
            self.lanes.add(rules, &self.standing, &rows, lanes_max)?;
        }
    }
}

fn kinds_of(involved: &Involved) -> [Parameter<'_>; 2] {
    [(&involved.types, Type::TEXT_ARRAY), (&involved.queues, Type::TEXT_ARRAY)]
}

fn lanes_of<'a>(types: &'a Vec<String>, queues: &'a Option<Vec<String>>, lanes_max: &'a i64) -> [Parameter<'a>; 3] {
    [(types, Type::TEXT_ARRAY), (queues, Type::TEXT_ARRAY), (lanes_max, Type::INT8)]
}

fn version(rows: &[Row]) -> Result<Option<(i64, Timestamp)>, Fault> {
    let Some(row) = rows.first() else { return Ok(None) };
    let columns = &mut Columns::of(row);
    Ok(Some((columns.read()?, columns.instant()?)))
}
