use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_core::{BatchStatus, DependencyState, JobId, Status, Timestamp};
use postgres_types::Type;

use super::batches::batch_statuses;
use super::dependent::{Change, Dependent, Known, Target};
use super::hint::{Hint, put};
use super::owners::{Moved, move_owners};
use crate::instant::Instant;
use crate::jobs::claim::hints::Changes;
use crate::jobs::reading::selected::statuses;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// How many dependencies one step looks at: of targets, of waiting jobs and of those whose time has passed. A job has at
/// most 1000, so that all of one job fit.
const DEPENDENTS_MAX: usize = 1000;
const WAITS_MAX: usize = 2000;
const TIMED_OUT_MAX: i64 = 500;

/// What a step looks at.
#[derive(Debug)]
pub(super) struct Settling {
    /// Others may wait for these.
    pub(super) targets: Vec<Hint>,
    /// These may no longer have to wait.
    pub(super) waits: Vec<Hint>,
    pub(super) now: Timestamp,
}

/// What a step has moved.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) moved: u64,
    pub(super) news: Changes,
}

/// Decides what becomes of jobs that wait. What is too much for one step is left as hints.
pub(super) async fn settle(transaction: &Transaction, settling: Settling) -> Result<Settled, Fault> {
    let Settling { targets, waits, now } = settling;
    let mut found = dependents(transaction, &targets).await?;
    found.extend(waiting(transaction, &waits).await?);
    found.extend(timed_out(transaction, now).await?);
    if found.is_empty() {
        return Ok(Settled::default());
    }
    let known = known(transaction, &found, now).await?;
    let mut changes: BTreeMap<JobId, BTreeMap<i32, Change>> = BTreeMap::new();
    for dependent in &found {
        if let Some(change) = dependent.change(&known) {
            changes.entry(dependent.id).or_default().insert(dependent.position, change);
        }
    }
    let Moved { moved, news } = move_owners(transaction, &changes, now).await?;
    Ok(Settled { moved, news })
}

async fn dependents(transaction: &Transaction, targets: &[Hint]) -> Result<Vec<Dependent>, Fault> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<&str> = targets.iter().map(|hint| hint.kind.dependency_kind()).collect();
    let ids: Vec<i64> = targets.iter().map(|hint| hint.target).collect();
    let afters: Vec<i64> = targets.iter().map(|hint| hint.after.unwrap_or(i64::MIN)).collect();
    let limit = DEPENDENTS_MAX as i64 + 1;
    let parameters: [Parameter<'_>; 4] =
        [(&kinds, Type::TEXT_ARRAY), (&ids, Type::INT8_ARRAY), (&afters, Type::INT8_ARRAY), (&limit, Type::INT8)];
    let mut found = read(transaction, sql!("workflows/select_dependents"), &parameters).await?;
    found.iter_mut().for_each(|one| one.is_revived = targets[one.place].kind.revives());
    if found.len() > DEPENDENTS_MAX {
        // The last job may have more dependencies on its target than were read.
        let last = found.pop().map(|last| (last.place, last.id));
        while found.last().is_some_and(|one| Some((one.place, one.id)) == last) {
            found.pop();
        }
        let (place, after) = match (found.last(), last) {
            (Some(one), _) => (one.place, Some(one.id.0)),
            (None, Some((place, _))) => (place, None),
            (None, None) => (0, None),
        };
        let mut left = vec![Hint { after: after.or(targets[place].after), ..targets[place] }];
        left.extend(&targets[place + 1..]);
        put(transaction, &left).await?;
    }
    Ok(found)
}

async fn waiting(transaction: &Transaction, waits: &[Hint]) -> Result<Vec<Dependent>, Fault> {
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = waits.iter().map(|hint| hint.target).collect();
    let limit = WAITS_MAX as i64 + 1;
    let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&limit, Type::INT8)];
    let mut found = read(transaction, sql!("workflows/select_waiting"), &parameters).await?;
    if found.len() > WAITS_MAX {
        // All of one job, or nothing of it.
        let place = found.last().map_or(0, |last| last.place);
        found.retain(|one| one.place != place);
        put(transaction, &waits[place..]).await?;
    }
    Ok(found)
}

async fn timed_out(session: &Session, now: Timestamp) -> Result<Vec<Dependent>, Fault> {
    let parameters: [Parameter<'_>; 2] = [(&TIMED_OUT_MAX, Type::INT8), (&Instant(now), Type::TIMESTAMPTZ)];
    read(session, sql!("workflows/select_timed_out"), &parameters).await
}

async fn read(
    session: &Session,
    sql: &'static crate::session::sql::Sql,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Dependent>, Fault> {
    let rows = session.query(sql, parameters).await?;
    Ok(rows.iter().map(Dependent::of).collect::<Result<_, _>>()?)
}

/// How everything is now that these wait for.
async fn known(session: &Session, found: &[Dependent], now: Timestamp) -> Result<Known, Fault> {
    let (mut jobs, mut batches, mut signals) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for dependent in found.iter().filter(|one| !matches!(one.state, DependencyState::Met | DependencyState::Passed)) {
        match &dependent.target {
            Target::Job(id) => drop(jobs.insert(*id)),
            Target::Batch(id) => drop(batches.insert(*id)),
            Target::Signal { batch, name } => drop(signals.insert((*batch, name.as_str()))),
        }
    }
    let jobs: HashMap<JobId, Status> = statuses(session, jobs).await?;
    let batches: Vec<i64> = batches.into_iter().collect();
    let batches: BTreeMap<i64, BatchStatus> = batch_statuses(session, &batches).await?;
    let mut sent = BTreeSet::new();
    if !signals.is_empty() {
        let (batches, names): (Vec<i64>, Vec<&str>) = signals.into_iter().unzip();
        let parameters: [Parameter<'_>; 2] = [(&batches, Type::INT8_ARRAY), (&names, Type::TEXT_ARRAY)];
        for row in session.query(sql!("workflows/select_signals"), &parameters).await? {
            sent.insert((row.try_get(0)?, row.try_get(1)?));
        }
    }
    Ok(Known { jobs, batches, signals: sent, now })
}
