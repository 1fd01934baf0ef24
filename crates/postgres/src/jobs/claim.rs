mod claim_row;
mod given;
pub(crate) mod held;
pub(crate) mod held_leases;
pub(crate) mod hints;
mod lanes;
mod overdue;
mod refused;
pub(crate) mod request;
pub(crate) mod round;

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{ClaimRequest, Claimed, Lease, Timestamp, WorkerId};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::jobs::outcomes::started::Notes;
use crate::limiting::claiming::{Closed, LimitedRound, limited_round};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Call;
use crate::store::Parts;
use given::{Given, GivenClaims};
use held::HeldJobs;
use hints::{Changes, Hints};
use lanes::{Lanes, Took};
use refused::give_up_refused;
use request::ClaimValues;
use round::Round;

/// How many due jobs one round of a claim promotes. The next one goes on.
pub(crate) const PROMOTED_MAX: i64 = 1000;
/// How often a claim looks again because others took what it saw, or because what it saw was overdue.
const ROUNDS_MAX: u32 = 8;
/// How often a claim reads the rules of limits again because they change all the time.
const READS_MAX: u32 = 20;
/// How long a claim that got nothing waits for others that hold its limits at this moment. One of them may be frozen.
const BUSY_PATIENCE: Duration = Duration::from_millis(250);
const BUSY_PAUSE: Duration = Duration::from_millis(3);

/// What the claims of this store share.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) hints: Arc<Hints>,
    pub(crate) held: HeldJobs,
    pub(crate) notes: Notes,
    given: GivenClaims,
    lanes: Lanes,
}

impl Claims {
    /// The worker holds nothing any more, and claims nothing again.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.held.forget(worker_id);
        self.given.forget(worker_id);
        self.notes.forget(worker_id);
    }
}

/// Promotes due jobs and claims runnable ones.
pub(crate) async fn claim(parts: Arc<Parts>, request: ClaimRequest) -> Result<Claimed, Fault> {
    // Whatever the worker has offered before, only this claim tells whether anything else comes first.
    let (request, resting) = parts.enqueues.inboxes.begin_claim(request).await;
    let claimed = loop {
        match repeated(|| claim_or_give_again(&parts, &request)).await {
            // What it took nevertheless, the repetition finds.
            Err(fault) if fault.is_refusal() && give_up_refused(&parts, &request).await? => {}
            answer => break answer?,
        }
    };
    if let Some(resting) = resting {
        resting.stand(&request, &claimed);
    }
    Ok(claimed)
}

async fn claim_or_give_again(parts: &Parts, request: &ClaimRequest) -> Result<Claimed, Fault> {
    let values = ClaimValues::of(request);
    // A repeated request first: its answer is what it was given before, whatever is ready now.
    if let Some(given) = parts.claims.given.begin(&request.worker_id, request.request_id)
        && let Some(claimed) = give_again(parts, request, &values, given).await?
    {
        return Ok(claimed);
    }
    claim_anew(parts, request, values).await
}

/// The answer to a request that was carried out before: the leases that the worker still has. If it is unknown whether
/// it was, the leases tell.
async fn give_again(
    parts: &Parts,
    request: &ClaimRequest,
    values: &ClaimValues,
    given: Given,
) -> Result<Option<Claimed>, Fault> {
    let numbers = match &given {
        Given::Unknown => None,
        Given::Leases(numbers) => Some(numbers.clone()),
    };
    let (given_again, next_due) = (values.given(&numbers), values.next_due());
    let calls = [
        Call { sql: sql!("claim/select_given_leases"), parameters: &given_again },
        Call { sql: sql!("claim/select_next_due"), parameters: &next_due },
    ];
    let answers = parts.pool.session().await?.pipeline(&calls).await?;
    let mut round = Round::read(parts, &request.worker_id, &answers[0])?;
    if round.leases.is_empty() && given == Given::Unknown {
        return Ok(None);
    }
    round.hold(parts, &request.worker_id);
    round.add_past(parts).await?;
    let due: Option<Timestamp> = answers[1].first().map_or(Ok(None), |row| Columns::of(row).optional_instant())?;
    sort(&mut round.leases);
    let next_due = due.map(|due| due.since(round.now));
    Ok(Some(Claimed { leases: round.leases, next_due, now: round.now }))
}

async fn claim_anew(parts: &Parts, request: &ClaimRequest, mut values: ClaimValues) -> Result<Claimed, Fault> {
    let (mut leases, mut claim_numbers) = (Vec::new(), Vec::new());
    let (mut rounds, mut in_turn) = (0, false);
    let begun = Instant::now();
    let (now, next_due) = loop {
        rounds += 1;
        let mut round = one_round(parts, request, &mut values).await?;
        let got_nothing = round.leases.is_empty() && leases.is_empty() && round.overdue.is_empty();
        if round.is_busy && got_nothing && begun.elapsed() < BUSY_PATIENCE {
            // Another claim is about to commit what it takes; then the rest can be counted.
            rounds -= 1;
            tokio::time::sleep(BUSY_PAUSE).await;
            continue;
        }
        in_turn |= round.is_in_turn;
        round.hold(parts, &request.worker_id);
        round.add_past(parts).await?;
        claim_numbers.append(&mut round.claim_numbers);
        values.take(&round.leases);
        leases.append(&mut round.leases);
        let is_over = !round.may_find_more || !values.has_room();
        if !round.overdue.is_empty() {
            round.overdue.look_around(parts, round.now).await?;
            round.overdue.end(parts).await?;
        }
        if is_over || rounds == ROUNDS_MAX {
            // Behind so many overdue jobs there may be others.
            let more = (!is_over).then_some(Duration::ZERO);
            break (round.now, more.or(round.next_due.map(|due| due.since(round.now))));
        }
    };
    parts.claims.given.end(&request.worker_id, request.request_id, claim_numbers);
    // Keys take turns, so under limits the order is that of the choice.
    if !in_turn {
        sort(&mut leases);
    }
    Ok(Claimed { leases, next_due, now })
}

/// In the order in which they must run.
fn sort(leases: &mut [Lease]) {
    leases.sort_by_key(|lease| (std::cmp::Reverse(lease.priority), lease.id));
}

/// Claims once. As long as nothing of it has a limit, that is one statement.
async fn one_round(parts: &Parts, request: &ClaimRequest, values: &mut ClaimValues) -> Result<Round, Fault> {
    for _ in 0..READS_MAX {
        let rules = match parts.limiting.rules.known() {
            Some(rules) => rules,
            None => parts.limiting.rules.read(&*parts.pool.session().await?).await?,
        };
        let involved = rules.involved(&request.job_types, &request.scope);
        let limited = match involved.is_empty() {
            true => LimitedRound::Closed(Closed::default()),
            false => limited_round(parts, request, values, &rules, &involved).await?,
        };
        match limited {
            LimitedRound::Changed => {}
            LimitedRound::Taken(round) => {
                let under_rule =
                    || round.leases.iter().filter(|lease| rules.has_rule_for(&lease.job_type, &lease.queue));
                values.take_limited(under_rule().count());
                parts.limiting.places.take(&request.worker_id, under_rule());
                return Ok(*round);
            }
            LimitedRound::Closed(closed) => {
                values.leave_out(rules.version, &closed);
                let mut round = free_round(parts, request, values).await?;
                if round.limit_version == Some(rules.version) {
                    round.next_due = round.next_due.into_iter().chain(closed.next_look).min();
                    round.is_busy = closed.is_busy;
                    return Ok(round);
                }
            }
        }
        parts.limiting.rules.read(&*parts.pool.session().await?).await?;
    }
    Err(parts.pool.busy().into())
}

/// Promotes and claims in one round trip. They are two statements, because the claim must see what was promoted.
async fn free_round(parts: &Parts, request: &ClaimRequest, values: &mut ClaimValues) -> Result<Round, Fault> {
    let begun = Instant::now();
    values.know(parts.claims.lanes.known(&values.job_types, &request.scope, begun));
    let (promote, claim) = ([(&PROMOTED_MAX as _, Type::INT8)], values.claim());
    let calls = [
        Call { sql: sql!("claim/promote_due_jobs"), parameters: &promote },
        Call { sql: sql!("claim/claim_jobs"), parameters: &claim },
    ];
    let answers = parts.pool.session().await?.pipeline(&calls).await?;
    tell_promoted(parts, &answers[0], request)?;
    let mut round = Round::read(parts, &request.worker_id, &answers[1])?;
    if let Some(snapshot) = round.snapshot {
        let took = Took { ended_at: Instant::now(), time: begun.elapsed() };
        parts.claims.lanes.learn(values.known(), mem::take(&mut round.firsts), snapshot, took);
    }
    Ok(round)
}

/// Another worker of this process may be idle and know a type that this one does not know.
pub(crate) fn tell_promoted(parts: &Parts, rows: &[Row], request: &ClaimRequest) -> Result<(), Error> {
    let mut changes = Changes::default();
    for row in rows {
        let columns = &mut Columns::of(row);
        let (job_type, queue): (String, String) = (columns.read()?, columns.read()?);
        if !request.job_types.contains(&job_type) || !request.scope.includes(&queue) {
            changes.add_job(Some(&job_type), &queue);
        }
    }
    // Other processes know when these come due.
    parts.claims.hints.give_here(&changes);
    Ok(())
}
