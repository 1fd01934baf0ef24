use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_core::{Action, DeadLetterReason, JobId, Refusal, Status, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use super::Sum;
use crate::instant::Instant;
use crate::jobs::outcomes::checkpoint::forget;
use crate::jobs::reading::selected::statuses;
use crate::jobs::state::place::{Blocker, Place, Placed, put};
use crate::jobs::state::{Held, lock, remove};
use crate::jobs::unchecked::forget_unchecked;
use crate::jobs::unique_key::holders;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::upkeep::counts::Counts;
use crate::workflows::reopen::{reopen_dependencies, revive_dependents};

/// How jobs are retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retrying {
    pub(crate) action: Action,
    /// Until when they wait for what had failed before, if that does not change.
    pub(crate) patience_until: Timestamp,
    pub(crate) now: Timestamp,
}

/// Retries jobs in the order of their ids, so that of two with one unique key the older gets it. Those without children
/// to revive are retried together.
pub(crate) async fn retry_in_order(
    session: &Session,
    jobs: Vec<Held>,
    how: Retrying,
    counts: &mut Counts,
    sum: &mut Sum,
) -> Result<(), Error> {
    let parents = match how.action.revives_children() {
        true => given_up_with(session, jobs.iter().map(|job| job.id)).await?.into_keys().collect(),
        false => BTreeSet::new(),
    };
    let mut together = Vec::new();
    for job in jobs {
        if !parents.contains(&job.id) {
            together.push(job);
            continue;
        }
        retry_each(session, std::mem::take(&mut together), how, counts, sum).await?;
        let id = job.id;
        let touched = sum.actioned.touched;
        retry_each(session, vec![job], how, counts, sum).await?;
        if sum.actioned.touched > touched {
            revive_children(session, id, how, counts, sum).await?;
        }
    }
    retry_each(session, together, how, counts, sum).await
}

/// Retries jobs without their children.
async fn retry_each(
    session: &Session,
    mut jobs: Vec<Held>,
    how: Retrying,
    counts: &mut Counts,
    sum: &mut Sum,
) -> Result<(), Error> {
    // A child that was revived with its parent meanwhile is already in the right state.
    jobs.retain(|job| !sum.revived.contains(&job.id));
    let (retried, refused) = retry(session, jobs, how, counts).await?;
    sum.actioned.touched += retried.len() as u64;
    refused.into_iter().for_each(|refusal| sum.refuse(refusal));
    Ok(())
}

/// Revives the children that became dead letters because a job did not complete, and their children.
async fn revive_children(
    session: &Session,
    parent: JobId,
    how: Retrying,
    counts: &mut Counts,
    sum: &mut Sum,
) -> Result<(), Error> {
    let mut parents = vec![parent];
    while let Some(parent) = parents.pop() {
        let children = given_up_with(session, [parent]).await?.remove(&parent).unwrap_or_default();
        let mut held = lock(session, &children).await?.held;
        // Another transaction may have moved it before it was locked.
        held.retain(|job| job.status == Status::DeadLetter);
        let (retried, refused) = retry(session, held, how, counts).await?;
        sum.actioned.touched += retried.len() as u64;
        refused.into_iter().for_each(|refusal| sum.refuse(refusal));
        sum.revived.extend(&retried);
        parents.extend(retried);
    }
    Ok(())
}

/// By parent, the children that were given up because it did not complete.
async fn given_up_with(
    session: &Session,
    parents: impl IntoIterator<Item = JobId>,
) -> Result<BTreeMap<JobId, Vec<JobId>>, Error> {
    let ids: Vec<i64> = parents.into_iter().map(|id| id.0).collect();
    let mut children: BTreeMap<JobId, Vec<JobId>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(children);
    }
    for row in session.query(sql!("actions/select_given_up_children"), &[(&ids, Type::INT8_ARRAY)]).await? {
        let (child, parent) = (JobId(row.try_get(0)?), JobId(row.try_get(1)?));
        let reason: Option<&str> = row.try_get(2)?;
        let of = |status| DeadLetterReason::ParentEnded { parent, status }.to_string();
        if reason.is_some_and(|reason| Status::ALL.into_iter().any(|status| of(status) == reason)) {
            children.entry(parent).or_default().push(child);
        }
    }
    Ok(children)
}

/// Brings ended or retrying jobs back with new budgets; says which, and whose unique key is taken.
async fn retry(
    session: &Session,
    mut jobs: Vec<Held>,
    how: Retrying,
    counts: &mut Counts,
) -> Result<(Vec<JobId>, Vec<Refusal>), Error> {
    let refused = take_keys(session, &jobs).await?;
    let without_key: BTreeSet<JobId> = refused.iter().map(|(id, _)| *id).collect();
    jobs.retain(|job| !without_key.contains(&job.id));
    let refused = refused.into_iter().map(|(id, by)| Refusal::UniqueKeyTaken { id, by }).collect();
    if jobs.is_empty() {
        return Ok((Vec::new(), refused));
    }
    keep_completed_attempts(session, &jobs).await?;
    renew_stories(session, &mut jobs).await?;
    clear_passed_bounds(session, &jobs, how.now).await?;
    if how.action.forgets_checkpoints() {
        forget(session, jobs.iter().map(|job| job.id)).await?;
    }
    let all: Vec<&Held> = jobs.iter().collect();
    remove(session, &all).await?;
    forget_unchecked(session, &all).await?;
    let parents = statuses(session, jobs.iter().filter_map(|job| job.parent)).await?;
    let unmet = reopen_dependencies(session, &jobs, how.patience_until).await?;
    let retried: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut placed = Vec::new();
    for job in &jobs {
        let by = match unmet.get(&job.id) {
            Some(unmet) => Some(Blocker::Dependencies(*unmet)),
            None => blocking(job, &parents, &retried).map(Blocker::Parent),
        };
        let place = match by {
            Some(by) => Place::Blocked { by, due_at: None, ready_at: Some(how.now) },
            None => Place::Ready(how.now),
        };
        placed.push(Placed { job, place });
    }
    put(session, &placed, how.now, counts).await?;
    if how.action.revives_children() {
        revive_dependents(session, &jobs).await?;
    }
    Ok((retried.into_iter().collect(), refused))
}

/// The parent that a retried job waits for: one that exists and has not completed, or runs again now.
fn blocking(job: &Held, parents: &HashMap<JobId, Status>, retried: &BTreeSet<JobId>) -> Option<JobId> {
    let parent = job.parent?;
    let waits = retried.contains(&parent) || parents.get(&parent).is_some_and(|status| *status != Status::Completed);
    waits.then_some(parent)
}

/// Takes the unique keys again. Gives the jobs whose key another job has, or had and passed on, and that job.
async fn take_keys(session: &Session, jobs: &[Held]) -> Result<Vec<(JobId, JobId)>, Error> {
    let mut refused = BTreeMap::new();
    let mut left: Vec<(&str, JobId)> =
        jobs.iter().filter_map(|job| Some((job.unique_key.as_deref()?, job.id))).collect();
    // A holder may end between the look and the attempt to take its key; then the key is free.
    for _ in 0..KEY_LOOKS_MAX {
        left = held_by_others(session, left, &mut refused).await?;
        if left.is_empty() {
            break;
        }
        let (keys, ids): (Vec<&str>, Vec<i64>) = left.iter().map(|(key, id)| (*key, id.0)).unzip();
        let parameters: [Parameter<'_>; 2] = [(&keys, Type::TEXT_ARRAY), (&ids, Type::INT8_ARRAY)];
        session.execute(sql!("actions/take_unique_keys"), &parameters).await?;
    }
    Ok(refused.into_iter().collect())
}

/// Refuses the jobs whose key another job has; gives those that have no key yet, neither this one nor one that they
/// passed on.
async fn held_by_others<'a>(
    session: &Session,
    jobs: Vec<(&'a str, JobId)>,
    refused: &mut BTreeMap<JobId, JobId>,
) -> Result<Vec<(&'a str, JobId)>, Error> {
    if jobs.is_empty() {
        return Ok(jobs);
    }
    let keys: Vec<&str> = jobs.iter().map(|(key, _)| *key).collect();
    let holders = holders(session, &keys).await?;
    let mut left = Vec::new();
    for ((key, id), holders) in jobs.into_iter().zip(holders) {
        match holders.iter().find(|holder| holder.id != id) {
            Some(other) => drop(refused.insert(id, other.id)),
            None if holders.is_empty() => left.push((key, id)),
            None => {}
        }
    }
    Ok(left)
}

/// How often keys are looked for whose holders end all the time.
const KEY_LOOKS_MAX: u32 = 10;

async fn keep_completed_attempts(session: &Session, jobs: &[Held]) -> Result<(), Error> {
    let completed: Vec<&Held> = jobs.iter().filter(|job| job.status == Status::Completed).collect();
    if completed.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = completed.iter().map(|job| job.id.0).collect();
    let claim_numbers: Vec<i64> = completed.iter().map(|job| job.claim_number.map_or(0, |number| number.0)).collect();
    let attempts: Vec<i32> = completed.iter().map(|job| job.retry_count.saturating_add(1)).collect();
    let workers: Vec<Option<i32>> = completed.iter().map(|job| job.worker).collect();
    let started: Vec<Option<Instant>> = completed.iter().map(|job| job.started_at.map(Instant)).collect();
    let finished: Vec<Option<Instant>> = completed.iter().map(|job| job.ended_at.map(Instant)).collect();
    session
        .execute(
            sql!("actions/keep_completed_attempts"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&claim_numbers, Type::INT8_ARRAY),
                (&attempts, Type::INT4_ARRAY),
                (&workers, Type::INT4_ARRAY),
                (&started, Type::TIMESTAMPTZ_ARRAY),
                (&finished, Type::TIMESTAMPTZ_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

async fn renew_stories(session: &Session, jobs: &mut [Held]) -> Result<(), Error> {
    let with_past: Vec<&Held> = jobs.iter().filter(|job| job.has_story || job.claim_number.is_some()).collect();
    if with_past.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = with_past.iter().map(|job| job.id.0).collect();
    let claim_numbers: Vec<Option<i64>> = with_past.iter().map(|job| job.claim_number.map(|number| number.0)).collect();
    let workers: Vec<Option<i32>> = with_past.iter().map(|job| job.worker).collect();
    let started: Vec<Option<Instant>> = with_past.iter().map(|job| job.started_at.map(Instant)).collect();
    session
        .execute(
            sql!("actions/renew_stories"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&claim_numbers, Type::INT8_ARRAY),
                (&workers, Type::INT4_ARRAY),
                (&started, Type::TIMESTAMPTZ_ARRAY),
            ],
        )
        .await?;
    jobs.iter_mut().for_each(|job| job.has_story |= job.claim_number.is_some());
    Ok(())
}

/// An expiry or a deadline that has passed is removed, because a person has decided otherwise.
async fn clear_passed_bounds(session: &Session, jobs: &[Held], now: Timestamp) -> Result<(), Error> {
    let has_passed = |bound: Option<Timestamp>| bound.is_some_and(|at| at <= now);
    let passed = jobs.iter().filter(|job| has_passed(job.expires_at) || has_passed(job.deadline_at));
    let ids: Vec<i64> = passed.map(|job| job.id.0).collect();
    if !ids.is_empty() {
        let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&Instant(now), Type::TIMESTAMPTZ)];
        session.execute(sql!("actions/clear_passed_bounds"), &parameters).await?;
    }
    Ok(())
}
