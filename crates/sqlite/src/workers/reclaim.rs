use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{AttemptEnd, Clock, JobId, Reclaimed, RetryPolicy, StoreError, Suspects, WorkerId, decide};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension};

use crate::column;
use crate::fault::{Fault, spoils_connection};
use crate::jobs::attempt_end::{AttemptEnded, Ending};
use crate::jobs::stuck::{Settle, stuck_rows};
use crate::readers::Readers;
use crate::workers::held_job::{HeldJob, Proof};
use crate::workers::liveness::{Evidence, Liveness};
use crate::workers::started::StartedTable;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How many jobs one transaction takes from a dead worker.
const STEP_ROWS: u32 = 500;
/// How many workers one look visits.
const WORKERS_MAX: usize = 10_000;

/// A worker that is dead or beyond its lease.
#[derive(Debug)]
struct DeadWorker {
    worker_id: WorkerId,
    /// None if it is not registered and yet has running jobs.
    heartbeat_number: Option<i64>,
    started: StartedTable,
    /// Whether more than one of its attempts had begun.
    suspects: Suspects,
    /// Its file, locked by us as long as its jobs are being taken.
    file: Option<File>,
}

impl DeadWorker {
    /// Notes in the file of a dead worker that its attempts were not alone: whoever goes on when only some of its
    /// jobs could be taken back must not find the rest alone.
    fn keep_company(&self) {
        if self.suspects == Suspects::Several
            && let Some(file) = &self.file
            && let Err(error) = StartedTable::note_company(file)
        {
            tracing::warn!(worker_id = %self.worker_id, %error, "could not note what a dead worker had begun");
        }
    }
}

/// Finds dead workers and takes their jobs from them, in bounded steps.
pub(crate) async fn reclaim(
    readers: &Readers,
    writer: &Writer,
    liveness: &Arc<Liveness>,
    clock: &Arc<dyn Clock>,
) -> Result<Reclaimed, StoreError> {
    let (looker, time) = (Arc::clone(liveness), Arc::clone(clock));
    let (dead, stuck) = readers
        .run("looking for dead workers", move |tx| {
            let mut stuck = stuck_rows(tx.connection, STEP_ROWS)?;
            let dead = find_dead(tx.connection, &looker, time.monotonic(), &mut stuck)?;
            Ok((dead, stuck))
        })
        .await?;
    if !stuck.is_empty() {
        // No worker will ever give these back.
        writer.run(Settle { ids: stuck }).await?;
    }
    let mut reclaimed = Reclaimed::default();
    for worker in dead {
        worker.keep_company();
        let started = Arc::new(worker.started);
        let suspects = worker.suspects;
        let mut next = Some(JobId(i64::MIN));
        let mut end = End::Elsewhere;
        while let Some(after) = next {
            let (worker_id, started) = (worker.worker_id.clone(), Arc::clone(&started));
            let step = Step { worker_id, heartbeat_number: worker.heartbeat_number, started, suspects, after };
            let taken = writer.run(step).await?;
            reclaimed.jobs += taken.jobs;
            end = taken.end;
            next = taken.next;
        }
        match end {
            End::Gone => {
                liveness.forget(&worker.worker_id);
                reclaimed.workers.push(worker.worker_id);
            }
            End::Stuck => liveness.postpone(&worker.worker_id, clock.monotonic()),
            End::Elsewhere => {}
        }
    }
    Ok(reclaimed)
}

struct WorkerLease {
    heartbeat_number: i64,
    lease: Duration,
}

/// Jobs of workers whose names no worker can have are added to `stuck`.
fn find_dead(
    connection: &Connection,
    liveness: &Liveness,
    now: Duration,
    stuck: &mut Vec<JobId>,
) -> rusqlite::Result<Vec<DeadWorker>> {
    let registered = registered_workers(connection)?;
    let mut dead = Vec::new();
    for (worker_id, lease) in &registered {
        if liveness.is_postponed(worker_id, now) {
            continue;
        }
        let evidence = liveness.probe(worker_id);
        // The lease is looked at in any case, so that the time of its heartbeat is counted from the first look.
        let is_over = liveness.is_lease_over(worker_id, lease.heartbeat_number, lease.lease, now);
        let file = match evidence {
            Evidence::Dead(file) => file,
            Evidence::Alive if is_over => None,
            Evidence::Alive => continue,
        };
        let started = liveness.started(worker_id, file.as_ref());
        let heartbeat_number = Some(lease.heartbeat_number);
        let suspects = count_suspects(connection, worker_id, &started)?;
        dead.push(DeadWorker { worker_id: worker_id.clone(), heartbeat_number, started, suspects, file });
    }
    for worker_id in running_workers(connection, stuck)? {
        if !registered.contains_key(&worker_id) {
            let started = liveness.started(&worker_id, None);
            let suspects = count_suspects(connection, &worker_id, &started)?;
            dead.push(DeadWorker { worker_id, heartbeat_number: None, started, suspects, file: None });
        }
    }
    liveness.keep_seen(|worker_id| registered.contains_key(worker_id));
    Ok(dead)
}

/// Whether one attempt of a dead worker had begun, or several. Looked at before the first job is taken back,
/// because after that the rest would look alone.
fn count_suspects(connection: &Connection, worker_id: &WorkerId, started: &StartedTable) -> rusqlite::Result<Suspects> {
    let mut begun = 0;
    let mut after = JobId(i64::MIN);
    loop {
        let jobs = HeldJob::read(connection, worker_id, after, STEP_ROWS)?;
        begun += jobs.iter().filter(|job| job.begun(started).is_some()).count();
        if begun > 1 {
            return Ok(Suspects::Several);
        }
        match jobs.last() {
            Some(last) if jobs.len() == STEP_ROWS as usize => after = last.id,
            _ => return Ok(Suspects::One),
        }
    }
}

fn registered_workers(connection: &Connection) -> rusqlite::Result<BTreeMap<WorkerId, WorkerLease>> {
    connection
        .prepare_cached(include_str!("../sql/select_leases_of_workers.sql"))?
        .query_map([], |row| {
            let worker_id = WorkerId::from_stored(&column::text(row, 0)?);
            let lease = Duration::from_millis(column::size(row, 2)?);
            Ok((worker_id, WorkerLease { heartbeat_number: column::integer(row, 1)?, lease }))
        })?
        .take(WORKERS_MAX)
        .collect()
}

/// Whoever has running jobs, registered or not: a job must not hang because its worker's row was deleted.
fn running_workers(connection: &Connection, stuck: &mut Vec<JobId>) -> rusqlite::Result<Vec<WorkerId>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/select_next_running_worker.sql"))?;
    let mut workers: Vec<WorkerId> = Vec::new();
    // In bytes, because read as text a word that is no UTF-8 would be found again and again.
    let mut last: Vec<u8> = Vec::new();
    while workers.len() < WORKERS_MAX {
        let after = ToSqlOutput::Borrowed(ValueRef::Text(&last));
        let next = statement
            .query_row([after], |row| match row.get_ref(0)? {
                ValueRef::Text(bytes) => Ok(bytes.to_vec()),
                _ => Ok(Vec::new()),
            })
            .optional()?;
        let Some(word) = next.filter(|word| !word.is_empty()) else { break };
        match std::str::from_utf8(&word) {
            Ok(word) => workers.push(WorkerId::from_stored(word)),
            Err(_) => stuck.extend(jobs_of(connection, &word)?),
        }
        last = word;
    }
    Ok(workers)
}

fn jobs_of(connection: &Connection, worker: &[u8]) -> rusqlite::Result<Vec<JobId>> {
    connection
        .prepare_cached(include_str!("../sql/select_running_of_worker.sql"))?
        .query_map([ToSqlOutput::Borrowed(ValueRef::Text(worker))], |row| column::id(row, 0))?
        .take(STEP_ROWS as usize)
        .collect()
}

/// One bounded step: some jobs of one dead worker, and its row when none is left.
struct Step {
    worker_id: WorkerId,
    heartbeat_number: Option<i64>,
    started: Arc<StartedTable>,
    suspects: Suspects,
    after: JobId,
}

#[derive(Debug, Default)]
struct Taken {
    jobs: u64,
    /// Where the next step begins, if there is one.
    next: Option<JobId>,
    end: End,
}

/// What became of the worker.
#[derive(Clone, Copy, Debug, Default)]
enum End {
    /// It lives after all, or somebody else takes its jobs.
    #[default]
    Elsewhere,
    /// It holds nothing more, and its row is removed.
    Gone,
    /// A job of its own cannot be taken back.
    Stuck,
}

impl Work for Step {
    type Answer = Taken;
    const DOING: &'static str = "taking jobs from a dead worker";

    fn rows(&self) -> usize {
        STEP_ROWS as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Taken, Fault> {
        if self.heartbeat_number_now(tx)? != self.heartbeat_number {
            return Ok(Taken::default());
        }
        let mut ending = Ending::begin(tx)?;
        let jobs = HeldJob::read(tx.connection, &self.worker_id, self.after, STEP_ROWS)?;
        let mut taken = Taken::default();
        for job in &jobs {
            taken.jobs += u64::from(self.take_apart(tx, &mut ending, job)?);
        }
        if jobs.len() == STEP_ROWS as usize {
            taken.next = jobs.last().map(|job| job.id);
            return Ok(taken);
        }
        tx.held.forget(&self.worker_id);
        let removed = tx
            .connection
            .prepare_cached(include_str!("../sql/delete_worker.sql"))?
            .execute([self.worker_id.as_str()])?;
        taken.end = if removed == 1 || self.heartbeat_number.is_none() { End::Gone } else { End::Stuck };
        Ok(taken)
    }
}

impl Step {
    fn heartbeat_number_now(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<Option<i64>> {
        tx.connection
            .prepare_cached(include_str!("../sql/select_heartbeat_number.sql"))?
            .query_row([self.worker_id.as_str()], |row| column::integer(row, 0))
            .optional()
    }

    /// Takes one job in a savepoint of its own: one row that cannot be moved never stops the others.
    fn take_apart<'c>(&self, tx: &mut WriteTx<'_, 'c>, ending: &mut Ending<'c>, job: &HeldJob) -> Result<bool, Fault> {
        tx.connection.prepare_cached("SAVEPOINT row")?.execute([])?;
        let mut others = std::mem::take(&mut tx.counts);
        let taken = self.take(tx, ending, job);
        match taken {
            Ok(is_taken) => {
                others.merge(std::mem::take(&mut tx.counts));
                tx.counts = others;
                tx.connection.prepare_cached("RELEASE row")?.execute([])?;
                Ok(is_taken)
            }
            Err(Fault::Sql(error)) if !spoils_connection(&error) && !tx.connection.is_autocommit() => {
                tracing::error!(job_id = job.id.0, worker_id = %self.worker_id, %error, "cannot be taken back");
                tx.counts = others;
                tx.connection.prepare_cached("ROLLBACK TO row")?.execute([])?;
                tx.connection.prepare_cached("RELEASE row")?.execute([])?;
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn take<'c>(&self, tx: &mut WriteTx<'_, 'c>, ending: &mut Ending<'c>, job: &HeldJob) -> Result<bool, Fault> {
        let begun = job.begun(&self.started);
        let end = match begun.map(|begun| begun.proof) {
            None => AttemptEnd::Interrupted,
            Some(Proof::BeganAlone) => AttemptEnd::Crashed(Suspects::One),
            Some(Proof::OfItsWorker) => AttemptEnd::Crashed(self.suspects),
            Some(Proof::None) => AttemptEnd::Crashed(Suspects::Several),
        };
        // A crash is never retried after a delay, so neither the policy nor chance has a say.
        let outcome = decide(&job.budgets, end, &RetryPolicy::default(), tx.now, 0.0);
        let ended = AttemptEnded {
            worker_id: &self.worker_id,
            id: job.id,
            claim_number: job.lease.claim_number,
            attempt: job.attempt(),
            started_at: begun.map(|begun| begun.at),
            finished_at: tx.now,
            outcome: &outcome,
        };
        ending.write(tx, &ended, &job.lease)
    }
}
