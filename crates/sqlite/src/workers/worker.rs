use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{
    ClaimNumber, Extended, HELD_LEASES_MAX, HeldClaims, JobId, Lease, Outcome, Registration, StoreError, WorkerId,
};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::claim::runs::given_lease;
use crate::jobs::outcomes::attempt_end::{AttemptEnded, Ending};
use crate::jobs::outcomes::checkpoint::add_checkpoints;
use crate::jobs::type_settings;
use crate::workers::held_job::HeldJob;
use crate::workers::liveness::started::StartedTable;
use crate::workers::worker_row::FileRecord;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Passing, Work};

/// Writes the row of a worker.
pub(crate) struct Register {
    pub(crate) registration: Registration,
    pub(crate) file: FileRecord,
}

impl Work for Register {
    type Answer = ();
    const DOING: &'static str = "registering a worker";
    const EFFECT: Effect = Effect::Told;

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let Registration { worker_id, host, pid, lease, queues, job_types, settings, concurrency, presence: _ } =
            &self.registration;
        tx.connection.prepare_cached(include_str!("../sql/workers/insert_worker.sql"))?.execute(params![
            worker_id.as_str(),
            host,
            pid,
            tx.now.as_ms(),
            column::milliseconds(*lease),
            json(queues),
            json(&job_types[..]),
            concurrency,
            self.file.boot_id,
            self.file.file_id,
        ])?;
        for of_type in &settings[..] {
            type_settings::keep(tx.connection, of_type)?;
        }
        Ok(())
    }
}

fn json(words: &[String]) -> String {
    serde_json::to_string(words).expect("a list of strings is always JSON")
}

/// Extends a worker's lease: one row, however many jobs it holds.
pub(crate) struct Extend {
    pub(crate) worker_id: WorkerId,
    /// What it holds; none where that is not known.
    pub(crate) held: Option<Arc<HeldClaims>>,
    pub(crate) file: FileRecord,
}

impl Work for Extend {
    type Answer = Extended;
    const DOING: &'static str = "extending a lease";
    // A heartbeat changes no job, and says which ones the worker has lost.
    const PASSING: Passing = Passing::Always;
    const EFFECT: Effect = Effect::Told;

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Extended, Fault> {
        let worker_id = &self.worker_id;
        let extended = tx
            .connection
            .prepare_cached(include_str!("../sql/workers/extend_lease.sql"))?
            .execute(params![worker_id.as_str(), tx.now.as_ms(), self.file.file_id])?;
        if extended == 0 {
            return Err(StoreError::WorkerGone { worker_id: worker_id.clone() }.into());
        }
        let running = running_of(tx.connection, worker_id)?;
        tx.held.keep_only(worker_id, |id| running.contains_key(&id));
        let mut answer = Extended { asks_for_all: self.held.is_none(), ..Extended::default() };
        for (id, claim_number) in self.held.iter().flat_map(|held| held.iter()) {
            match running.get(&id) {
                Some(job) if job.claim_number == claim_number && job.is_cancel_requested => {
                    answer.cancel_requested.push(id);
                }
                Some(job) if job.claim_number == claim_number => {}
                _ => answer.lost.push(id),
            }
        }
        Ok(answer)
    }
}

struct Running {
    claim_number: ClaimNumber,
    is_cancel_requested: bool,
}

fn running_of(connection: &Connection, worker_id: &WorkerId) -> rusqlite::Result<BTreeMap<JobId, Running>> {
    connection
        .prepare_cached(include_str!("../sql/workers/select_running_of_worker.sql"))?
        .query_map([worker_id.as_str()], |row| {
            let running =
                Running { claim_number: ClaimNumber(column::integer(row, 1)?), is_cancel_requested: row.get(2)? };
            Ok((column::id(row, 0)?, running))
        })?
        .collect()
}

/// The worker's running jobs whose cancellation was requested.
pub(crate) fn cancel_requests(
    connection: &Connection,
    worker_id: &WorkerId,
) -> Result<Vec<(JobId, ClaimNumber)>, Fault> {
    check_registered(connection, worker_id)?;
    let asked = connection
        .prepare_cached(include_str!("../sql/workers/select_cancel_requests.sql"))?
        .query_map([worker_id.as_str()], |row| Ok((column::id(row, 0)?, ClaimNumber(column::integer(row, 1)?))))?
        .collect::<Result<_, _>>()?;
    Ok(asked)
}

/// What a worker holds beyond these claims, in the order in which it must run.
pub(crate) fn held_leases(
    connection: &Connection,
    worker_id: &WorkerId,
    beyond: &[(JobId, ClaimNumber)],
) -> Result<Vec<Lease>, Fault> {
    check_registered(connection, worker_id)?;
    let known: BTreeMap<JobId, ClaimNumber> = beyond.iter().copied().collect();
    let mut leases = Vec::new();
    for (id, Running { claim_number, .. }) in running_of(connection, worker_id)? {
        if known.get(&id) != Some(&claim_number) && leases.len() < HELD_LEASES_MAX {
            leases.extend(given_lease(connection, worker_id, id, claim_number)?);
        }
    }
    add_checkpoints(connection, &mut leases)?;
    leases.sort_by_key(|lease| (Reverse(lease.priority), lease.id));
    Ok(leases)
}

fn check_registered(connection: &Connection, worker_id: &WorkerId) -> Result<(), Fault> {
    let is_registered: bool = connection
        .prepare_cached(include_str!("../sql/claim/is_worker_registered.sql"))?
        .query_row([worker_id.as_str()], |row| row.get(0))?;
    if is_registered {
        return Ok(());
    }
    Err(StoreError::WorkerGone { worker_id: worker_id.clone() }.into())
}

/// Returns all jobs of a worker and removes its row.
pub(crate) struct Retire {
    pub(crate) worker_id: WorkerId,
    pub(crate) started: StartedTable,
}

impl Work for Retire {
    type Answer = ();
    const DOING: &'static str = "retiring a worker";
    const PASSING: Passing = Passing::WhileDraining;

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let mut ending = Ending::begin(tx)?;
        let after = JobId(i64::MIN);
        for job in HeldJob::read(tx.connection, &self.worker_id, after, u32::MAX)? {
            let ended = AttemptEnded {
                worker_id: &self.worker_id,
                id: job.id,
                claim_number: job.lease.claim_number,
                attempt: job.attempt(),
                started_at: job.begun(&self.started).map(|begun| begun.at),
                finished_at: tx.now,
                outcome: &Outcome::Returned,
                slow_down: None,
            };
            // One that cannot be given back keeps the row of the worker, and with it the next look for dead workers.
            if let Err(error) = tx.apart(|tx| ending.write_or_give_up(tx, &ended, &job.lease))? {
                crate::database::quiet::error!(job_id = job.id.0, worker_id = %self.worker_id, %error, "cannot be given back");
            }
        }
        tx.held.forget(&self.worker_id);
        tx.connection
            .prepare_cached(include_str!("../sql/workers/delete_worker.sql"))?
            .execute([self.worker_id.as_str()])?;
        Ok(())
    }
}
