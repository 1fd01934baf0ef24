use std::collections::HashMap;

use longshore_core::{ClaimRequest, JobId, Timestamp};
use postgres_types::Type;
use tokio_postgres::Row;

use super::admission::{Admission, Chosen};
use super::head::{Head, PlainJob};
use super::lanes::HeldLanes;
use super::pauses::{Pauses, SOON};
use super::rules::{Involved, Rules};
use super::sorting::{Kinds, Sorted, Unsorted};
use super::standing::{Opening, Standing};
use crate::jobs::claim::request::ClaimValues;
use crate::jobs::claim::round::Round;
use crate::jobs::claim::{PROMOTED_MAX, tell_promoted};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;

/// How many lanes of each type and queue a claim looks at.
const LANES_MAX: u32 = 512;
/// How many of them are looked at beyond the number of jobs that may start: an open lane may give nothing, and then the
/// next one of its type and queue must be known, or a job of a lower priority would start first.
const SPARE_LANES: u32 = 4;
/// How many notes of ended jobs, and how many lanes that are due, a claim reads.
const REOPENED_MAX: i64 = 2000;

/// What a claim under limits has come to.
pub(crate) enum LimitedRound {
    /// The rules have changed meanwhile: they must be read again.
    Changed,
    /// Nothing that has a rule can start, so the rest is claimed as usual, without these types and queues.
    Closed(Closed),
    /// It has taken some, or there was nothing.
    Taken(Box<Round>),
}

/// What a claim leaves out.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    pub(crate) types: Vec<String>,
    pub(crate) queues: Vec<String>,
    /// When something of it may start.
    pub(crate) next_look: Option<Timestamp>,
    /// Whether others held limits or lanes of it.
    pub(crate) is_busy: bool,
}

/// One round of a claim of which something has a rule.
///
/// The order of the statements is what makes it exact. It locks the limits and lanes, and only then counts what runs and
/// reads the first jobs, each in a statement of its own: a snapshot from before the lock might lack what another claim
/// has started, or what was sorted into a lane. All that it changes is committed together with the jobs it takes.
pub(crate) async fn limited_round(
    parts: &Parts,
    request: &ClaimRequest,
    values: &ClaimValues,
    rules: &Rules,
    involved: &Involved,
) -> Result<LimitedRound, Fault> {
    let mut pauses = Pauses::default();
    let kinds = Kinds::of(rules, &involved.types);
    if prepare(parts, request, rules, &kinds, &mut pauses).await? == Known::Old {
        return Ok(LimitedRound::Changed);
    }
    let to_lock = Standing::to_lock(rules, involved);
    let (locks, limits) = (kinds_of(&to_lock), kinds_of(involved));
    let lanes_max = match values.limited_room() {
        0 => 0,
        room => i64::from(room.saturating_add(SPARE_LANES).min(LANES_MAX)),
    };
    let lanes: [Parameter<'_>; 3] =
        [(&kinds.keyed, Type::TEXT_ARRAY), (&values.queues, Type::TEXT_ARRAY), (&lanes_max, Type::INT8)];
    let with_rule = Kinds::of_plain(&kinds, &involved.types);
    let unlaned: Vec<&str> =
        values.job_types.iter().filter(|name| !kinds.keyed.contains(name)).map(String::as_str).collect();
    let idle: [Parameter<'_>; 3] =
        [(&with_rule, Type::TEXT_ARRAY), (&involved.queues, Type::TEXT_ARRAY), (&unlaned, Type::TEXT_ARRAY)];
    let calls = [
        Call { sql: sql!("limiting/hold_running"), parameters: &[] },
        Call { sql: sql!("limiting/lock_limits"), parameters: &locks },
        Call { sql: sql!("limiting/select_open_lanes"), parameters: &lanes },
        Call { sql: sql!("limiting/read_limits"), parameters: &limits },
        Call { sql: sql!("limiting/select_version"), parameters: &[] },
        Call { sql: sql!("limiting/select_idle"), parameters: &idle },
    ];
    let (transaction, answers) = parts.pool.begin_with(&calls).await?;
    let Some((version, now)) = version(&answers[4])? else { return Ok(LimitedRound::Changed) };
    if version != rules.version {
        return Ok(LimitedRound::Changed);
    }
    let mut standing = Standing::read(rules, now, &answers[1], &answers[3])?;
    let mut held = HeldLanes::read(rules, &answers[2])?;
    let (mut closed_types, mut closed_queues) = (standing.closed(false), standing.closed(true));
    held.lanes.retain(|lane| !closed_types.contains(&lane.job_type) && !closed_queues.contains(&lane.queue));
    let has_lanes_of = |queue: &String| held.lanes.iter().any(|lane| lane.queue == *queue);
    for row in &answers[5] {
        let (name, is_queue): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if !is_queue {
            closed_types.push(name);
        } else if !has_lanes_of(&name) {
            closed_queues.push(name);
        }
    }
    let open_types: Vec<&String> = values.job_types.iter().filter(|name| !closed_types.contains(name)).collect();
    // Those whose keys take turns stand in lanes.
    let plain_types: Vec<&str> =
        open_types.iter().filter(|name| !kinds.keyed.contains(name)).map(|name| name.as_str()).collect();
    let is_closed = |name: &String| closed_types.contains(name) || kinds.keyed.contains(name);
    let all_closed = held.lanes.is_empty()
        && involved.types.iter().all(is_closed)
        && involved.queues.iter().all(|name| closed_queues.contains(name));
    if all_closed || values.limited_room() == 0 && involved.queues.is_empty() {
        pauses.look_for_others(&transaction, values, &kinds, [&closed_types, &closed_queues]).await?;
        pauses.add_openings(&transaction, values, &standing).await?;
        let next_look = pauses.next_look(&transaction, &kinds, now).await?;
        // The statement that claims the rest knows nothing of what is left out.
        let next_due = transaction.query_opt(sql!("claim/select_next_due"), &values.next_due()).await?;
        transaction.commit().await?;
        let next_due = next_due.map_or(Ok(None), |row| Columns::of(&row).optional_instant())?;
        let next_look = next_look.into_iter().chain(next_due).min();
        let types = involved.types.clone();
        return Ok(LimitedRound::Closed(Closed { types, queues: closed_queues, next_look, is_busy: pauses.is_busy() }));
    }
    let candidates = candidates(&transaction, values, &standing, rules, &plain_types, &closed_queues).await?;
    held.look(&transaction, values.limited_room()).await?;
    let mut rooms = standing.rooms(request, values.room(), values.limited_room());
    rooms.keys = held.rooms(now);
    values.narrow(&mut rooms.scope);
    let (turns, held_count) = (standing.turns(&held.lanes), held.lanes.len());
    let chosen = Admission::new(rooms, candidates, &held.lanes, turns.clone()).choose();
    let has_more = held.lanes.iter().any(|lane| lane.is_cut);
    let mut round = take(parts, &transaction, request, values, &chosen, &held).await?;
    let places: HashMap<JobId, usize> =
        chosen.iter().enumerate().map(|(place, chosen)| (JobId(chosen.head.id), place)).collect();
    round.leases.sort_by_key(|lease| places.get(&lease.id).copied());
    round.is_in_turn = chosen.iter().any(|chosen| chosen.lane.is_some());
    settle(&transaction, &mut standing, held, turns, &chosen, &round).await?;
    pauses.add_openings(&transaction, values, &standing).await?;
    if round.leases.is_empty() {
        pauses.look_for_others(&transaction, values, &kinds, [&closed_types, &closed_queues]).await?;
    }
    let next_look = pauses.next_look(&transaction, &kinds, round.now).await?;
    let next_due = transaction.query_opt(sql!("claim/select_next_due"), &values.next_due()).await?;
    transaction.commit().await?;
    let next_due = next_due.map_or(Ok(None), |row| Columns::of(&row).optional_instant())?;
    round.next_due = next_due.into_iter().chain(next_look).min();
    round.is_busy = pauses.is_busy();
    // Fewer lanes were looked at than there may be.
    round.may_find_more |= !round.leases.is_empty() && (held_count as i64 >= lanes_max || has_more);
    Ok(LimitedRound::Taken(Box::new(round)))
}

/// Whether the rules that a claim knows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Current,
    Old,
}

/// Promotes due jobs, opens lanes whose time has come or of which a job has ended, and sorts new jobs into theirs.
async fn prepare(
    parts: &Parts,
    request: &ClaimRequest,
    rules: &Rules,
    kinds: &Kinds,
    pauses: &mut Pauses,
) -> Result<Known, Fault> {
    let promote = [(&PROMOTED_MAX as _, Type::INT8)];
    let reopened = [(&REOPENED_MAX as _, Type::INT8)];
    let unsorted = [(&kinds.keyed as _, Type::TEXT_ARRAY), (&kinds.stale as _, Type::TEXT_ARRAY)];
    let calls = [
        Call { sql: sql!("claim/promote_due_jobs"), parameters: &promote },
        Call { sql: sql!("limiting/reopen_freed"), parameters: &reopened },
        Call { sql: sql!("limiting/reopen_due"), parameters: &reopened },
        Call { sql: sql!("limiting/select_unsorted"), parameters: &unsorted },
    ];
    let answers = parts.pool.session().await?.pipeline(&calls).await?;
    tell_promoted(parts, &answers[0], request)?;
    for row in &answers[3] {
        let job_type: String = row.try_get(0)?;
        let pointer = rules.pointer_of(&job_type).map(str::to_owned);
        match (Unsorted { job_type, pointer, version: rules.version }).sort(parts).await? {
            Sorted::All => {}
            Sorted::Some => pauses.add(SOON),
            Sorted::Old => return Ok(Known::Old),
        }
    }
    Ok(Known::Current)
}

fn kinds_of(involved: &Involved) -> [Parameter<'_>; 2] {
    [(&involved.types, Type::TEXT_ARRAY), (&involved.queues, Type::TEXT_ARRAY)]
}

fn version(rows: &[Row]) -> Result<Option<(i64, Timestamp)>, Fault> {
    let Some(row) = rows.first() else { return Ok(None) };
    let columns = &mut Columns::of(row);
    Ok(Some((columns.read()?, columns.instant()?)))
}

/// The first ready jobs that stand in no lane.
async fn candidates(
    transaction: &Transaction,
    values: &ClaimValues,
    standing: &Standing,
    rules: &Rules,
    types: &[&str],
    closed_queues: &[String],
) -> Result<Vec<PlainJob>, Fault> {
    let room_of = |name: &str| {
        let of = standing.limits.iter().find(|limit| !limit.is_queue && limit.name == name);
        match of.map(|limit| limit.opening(standing.now)) {
            Some(Opening::Open(Some(room))) => i64::from(room.min(values.room())),
            _ => i64::from(values.room()),
        }
    };
    let rooms: Vec<i64> = types.iter().map(|name| room_of(name)).collect();
    let parameters: [Parameter<'_>; 5] = [
        (&types, Type::TEXT_ARRAY),
        (&rooms, Type::INT8_ARRAY),
        (&values.queues, Type::TEXT_ARRAY),
        (&values.rooms, Type::INT8_ARRAY),
        (&closed_queues, Type::TEXT_ARRAY),
    ];
    let mut candidates = Vec::new();
    for row in transaction.query(sql!("limiting/select_candidates"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        let (job_type, queue): (String, String) = (columns.read()?, columns.read()?);
        let head = Head { rank: columns.read()?, again: columns.read()?, id: columns.read()? };
        let is_limited = rules.has_rule_for(&job_type, &queue);
        candidates.push(PlainJob { job_type, queue, head, is_limited });
    }
    Ok(candidates)
}

async fn take(
    parts: &Parts,
    transaction: &Transaction,
    request: &ClaimRequest,
    values: &ClaimValues,
    chosen: &[Chosen],
    held: &HeldLanes,
) -> Result<Round, Fault> {
    let job_types: Vec<&str> = chosen.iter().map(|chosen| chosen.job_type.as_str()).collect();
    let queues: Vec<&str> = chosen.iter().map(|chosen| chosen.queue.as_str()).collect();
    let ranks: Vec<i32> = chosen.iter().map(|chosen| chosen.head.rank).collect();
    let agains: Vec<bool> = chosen.iter().map(|chosen| chosen.head.again).collect();
    let ids: Vec<i64> = chosen.iter().map(|chosen| chosen.head.id).collect();
    let are_laned: Vec<bool> = chosen.iter().map(|chosen| chosen.lane.is_some()).collect();
    let keys: Vec<Option<i64>> = chosen.iter().map(|chosen| held.key_of(chosen.lane?)).collect();
    let are_counted: Vec<bool> = chosen.iter().map(|chosen| chosen.is_limited).collect();
    let [worker, request_of] = values.worker_and_request();
    let parameters = [
        worker,
        request_of,
        (&job_types as _, Type::TEXT_ARRAY),
        (&queues as _, Type::TEXT_ARRAY),
        (&ranks as _, Type::INT4_ARRAY),
        (&agains as _, Type::BOOL_ARRAY),
        (&ids as _, Type::INT8_ARRAY),
        (&are_laned as _, Type::BOOL_ARRAY),
        (&keys as _, Type::INT8_ARRAY),
        (&are_counted as _, Type::BOOL_ARRAY),
    ];
    let rows = transaction.query(sql!("limiting/take_jobs"), &parameters).await?;
    Round::read(parts, &request.worker_id, &rows)
}

/// Writes what the claim leaves of its limits, keys and lanes. Only what it really took counts.
async fn settle(
    transaction: &Transaction,
    standing: &mut Standing,
    mut held: HeldLanes,
    mut turns: super::admission::Turns,
    chosen: &[Chosen],
    round: &Round,
) -> Result<(), Fault> {
    let now = standing.now;
    let claim_number = round.leases.first().map(|lease| lease.claim_number.0);
    let (before, mut started) = (turns.types.clone(), Vec::new());
    for chosen in chosen.iter().filter(|chosen| round.has(JobId(chosen.head.id))) {
        started.push(chosen);
        if let Some(place) = chosen.lane {
            turns.serve(place, &held.lanes[place]);
            held.start(place);
        }
    }
    held.settle(transaction, &turns.lanes, claim_number, now).await?;
    let (mut limit_ids, mut arrivals, mut counted_from) = (Vec::new(), Vec::new(), Vec::new());
    for limit in &mut standing.limits {
        let is_of = |chosen: &&&Chosen| {
            let name = if limit.is_queue { &chosen.queue } else { &chosen.job_type };
            *name == limit.name
        };
        let starts = u32::try_from(started.iter().filter(is_of).count()).unwrap_or(u32::MAX);
        if starts == 0 || !limit.has_numbers() {
            continue;
        }
        limit_ids.push(limit.limit_id);
        limit.running = limit.running.saturating_add(starts);
        limit.arrival = limit.rule.pace().map_or(limit.arrival, |pace| pace.after(limit.arrival, now, starts));
        arrivals.push(limit.arrival.0);
        counted_from.push(limit.first_claim.or(claim_number).unwrap_or(0));
    }
    if !limit_ids.is_empty() {
        let parameters: [Parameter<'_>; 3] =
            [(&limit_ids, Type::INT8_ARRAY), (&arrivals, Type::INT8_ARRAY), (&counted_from, Type::INT8_ARRAY)];
        transaction.execute(sql!("limiting/settle_limits"), &parameters).await?;
    }
    let raised = turns.types.iter().filter(|(name, turn)| before.get(*name) != Some(*turn));
    let (types, raised): (Vec<&str>, Vec<i64>) = raised.map(|(name, turn)| (name.as_str(), *turn)).unzip();
    if !types.is_empty() {
        let parameters: [Parameter<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&raised, Type::INT8_ARRAY)];
        transaction.execute(sql!("limiting/raise_turns"), &parameters).await?;
    }
    Ok(())
}
