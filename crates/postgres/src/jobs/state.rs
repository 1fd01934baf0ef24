pub(crate) mod children;
pub(crate) mod place;

use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{ClaimNumber, JobId, Status, Timestamp};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::Session;
use place::{Blocker, Place};

/// How often jobs are looked for that move all the time.
const LOOKS_MAX: u32 = 10;

/// A job whose row of its state this transaction has locked: nobody else can move it before the transaction ends.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) id: JobId,
    pub(crate) status: Status,
    pub(crate) job_type: String,
    pub(crate) queue: String,
    pub(crate) priority: i32,
    pub(crate) unique_key: Option<String>,
    /// It may not exist any more.
    pub(crate) parent: Option<JobId>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) deadline_at: Option<Timestamp>,
    /// The type of its last failure.
    pub(crate) failure_type: Option<String>,
    pub(crate) retry_count: i32,
    /// When it becomes ready, if it waits for an instant, too.
    pub(crate) due_at: Option<Timestamp>,
    /// Since when it could be claimed. `None` if the body says it, or if it waits for an instant.
    pub(crate) ready_at: Option<Timestamp>,
    /// Of the running or last attempt, unless the story says it.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) claim_number: Option<ClaimNumber>,
    pub(crate) worker: Option<i32>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) cancel_requested_at: Option<Timestamp>,
    pub(crate) reason: Option<String>,
    pub(crate) has_story: bool,
    /// Of a blocked job with dependencies: how many of them are open. It waits for no parent.
    pub(crate) unmet: Option<i32>,
    /// Where the row of a ready job is.
    row: Option<String>,
}

/// What became of a request to lock jobs.
#[derive(Debug, Default)]
pub(crate) struct Locked {
    /// By id.
    pub(crate) held: Vec<Held>,
    /// Those that do not exist.
    pub(crate) missing: Vec<JobId>,
}

/// Locks jobs where they are. Of two transactions that move the same job, the second waits here for the first.
pub(crate) async fn lock(session: &Session, ids: &[JobId]) -> Result<Locked, Error> {
    let all: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut rows = BTreeMap::new();
    let mut sought = all.clone();
    for _ in 0..LOOKS_MAX {
        for row in session.query(sql!("state/lock_jobs"), &[(&sought, Type::INT8_ARRAY)]).await? {
            rows.insert(row.try_get::<_, i64>(0)?, row);
        }
        sought.retain(|id| !rows.contains_key(id));
        if sought.is_empty() || existing(session, &sought).await? == 0 {
            break;
        }
        // Another transaction moved it between the look and the lock.
    }
    let mut held = Vec::with_capacity(rows.len());
    for body in session.query(sql!("state/select_bodies"), &[(&all, Type::INT8_ARRAY)]).await? {
        if let Some(row) = rows.get(&body.try_get::<_, i64>(0)?) {
            held.push(Held::of(row, &body)?);
        }
    }
    let found: BTreeSet<JobId> = held.iter().map(|job| job.id).collect();
    let missing = ids.iter().copied().filter(|id| !found.contains(id)).collect();
    Ok(Locked { held, missing })
}

/// Locks those jobs that nobody else has locked, and waits for nobody. The missing ones do not exist.
pub(crate) async fn lock_free(session: &Session, ids: &[JobId]) -> Result<Locked, Error> {
    let all: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut rows = BTreeMap::new();
    for row in session.query(sql!("state/lock_free_jobs"), &[(&all, Type::INT8_ARRAY)]).await? {
        rows.insert(row.try_get::<_, i64>(0)?, row);
    }
    let (mut held, mut existing) = (Vec::with_capacity(rows.len()), BTreeSet::new());
    for body in session.query(sql!("state/select_bodies"), &[(&all, Type::INT8_ARRAY)]).await? {
        let id = body.try_get::<_, i64>(0)?;
        existing.insert(id);
        if let Some(row) = rows.get(&id) {
            held.push(Held::of(row, &body)?);
        }
    }
    let missing = ids.iter().copied().filter(|id| !existing.contains(&id.0)).collect();
    Ok(Locked { held, missing })
}

async fn existing(session: &Session, ids: &[i64]) -> Result<usize, Error> {
    Ok(session.query(sql!("state/select_bodies"), &[(&ids, Type::INT8_ARRAY)]).await?.len())
}

impl Held {
    fn of(row: &Row, body: &Row) -> Result<Self, Error> {
        let (row, body) = (&mut Columns::of(row), &mut Columns::of(body));
        body.id()?;
        let (id, status, place) = (row.id()?, row.status()?, row.read()?);
        row.read::<Option<bool>>()?;
        Ok(Self {
            id,
            status,
            row: place,
            ready_at: row.optional_instant()?,
            due_at: row.optional_instant()?,
            has_story: row.read::<Option<bool>>()?.unwrap_or(false),
            started_at: row.optional_instant()?,
            ended_at: row.optional_instant()?,
            claim_number: row.read::<Option<i64>>()?.map(ClaimNumber),
            worker: row.read()?,
            cancel_requested_at: row.optional_instant()?,
            reason: row.read()?,
            unmet: row.read()?,
            job_type: body.read()?,
            queue: body.read()?,
            priority: body.read()?,
            unique_key: body.read()?,
            parent: body.read::<Option<i64>>()?.map(JobId),
            expires_at: body.optional_instant()?,
            deadline_at: body.optional_instant()?,
            failure_type: body.read()?,
            retry_count: body.read()?,
        })
    }

    /// The state in which it waits. Of a job that does not wait: ready.
    pub(crate) fn place(&self, now: Timestamp) -> Place {
        match (self.status, self.blocker(), self.due_at) {
            (Status::Blocked, Some(by), due_at) => Place::Blocked { by, due_at, ready_at: self.ready_at },
            (Status::Pending | Status::Retrying, _, Some(due_at)) => {
                Place::Later { due_at, is_retry: self.status == Status::Retrying }
            }
            _ => Place::Ready(self.ready_at.unwrap_or(now)),
        }
    }

    /// What it waits for, if it is blocked.
    pub(crate) fn blocker(&self) -> Option<Blocker> {
        self.unmet.map(Blocker::Dependencies).or(self.parent.map(Blocker::Parent))
    }

    /// When it could have been claimed, as far as the body does not say it.
    pub(crate) fn waited_since(&self) -> Option<Timestamp> {
        self.due_at.or(self.ready_at)
    }
}

/// Takes jobs out of their states. The caller puts each into another one, or deletes it, in this transaction.
pub(crate) async fn remove(session: &Session, jobs: &[&Held]) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let places: Vec<&str> = jobs.iter().filter_map(|job| job.row.as_deref()).collect();
    let ids_of = |is_ended: bool| -> Vec<i64> {
        let of = jobs.iter().filter(|job| job.row.is_none() && job.status.is_ended() == is_ended);
        of.map(|job| job.id.0).collect()
    };
    let row = session
        .query_opt(
            sql!("state/delete_states"),
            &[(&places, Type::TEXT_ARRAY), (&ids_of(false), Type::INT8_ARRAY), (&ids_of(true), Type::INT8_ARRAY)],
        )
        .await?;
    let removed: i64 = row.expect("a sum is one row").try_get(0)?;
    assert_eq!(usize::try_from(removed), Ok(jobs.len()), "the rows were locked");
    Ok(())
}

/// The keys of these jobs, which have ended or are deleted, are free.
pub(crate) async fn free_keys<'a>(session: &Session, jobs: impl IntoIterator<Item = &'a Held>) -> Result<(), Error> {
    let with_key = jobs.into_iter().filter(|job| job.unique_key.is_some() && !job.status.is_ended());
    let ids: Vec<i64> = with_key.map(|job| job.id.0).collect();
    if !ids.is_empty() {
        session.execute(sql!("state/delete_unique_keys"), &[(&ids, Type::INT8_ARRAY)]).await?;
    }
    Ok(())
}
