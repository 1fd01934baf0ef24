use std::collections::BTreeSet;
use std::fs::File;
use std::ops::ControlFlow;
use std::time::Duration;

use longshore_core::{
    JobId, LeaseVerdict, SearchRound, SearchRounds, Suspects, WorkerId, WorkerReading, WorkerWatches,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension};

use crate::database::column;
use crate::jobs::stuck::stuck_rows;
use crate::workers::held_job::{HeldJob, Loss};
use crate::workers::liveness::started::StartedTable;
use crate::workers::liveness::{Evidence, Liveness};
use crate::workers::reclaim::take_over::STEP_ROWS;
use crate::workers::worker_row::{FileRecord, WorkerRow};

/// How many workers one search visits.
const WORKERS_MAX: usize = 10_000;
/// How long a worker without a row keeps its jobs while its file is locked: it will soon register again.
const LEASE_WITHOUT_ROW: Duration = Duration::from_secs(30);

/// A search for workers that are dead or do not extend their lease, in one state of the database.
pub(crate) struct WorkerSearch<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) liveness: &'a Liveness,
    pub(crate) watches: &'a WorkerWatches<WorkerId>,
    pub(crate) rounds: &'a SearchRounds<WorkerId>,
    pub(crate) now: Duration,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Workers whose jobs must be taken.
    pub(crate) lost: Vec<LostWorker>,
    /// Workers whose lease may be over.
    pub(crate) suspects: Vec<WorkerReading<WorkerId>>,
    /// Running jobs that no worker could ever return.
    pub(crate) stuck: Vec<JobId>,
    /// Jobs that are not running although their expiry or deadline has passed.
    pub(crate) overdue: Vec<JobId>,
    /// Jobs that were inserted before their type was registered.
    pub(crate) awaiting: Vec<JobId>,
    /// Whether something follows in workflows from what was done.
    pub(crate) has_followups: bool,
}

/// A worker that is dead or whose lease is over.
#[derive(Debug)]
pub(crate) struct LostWorker {
    pub(crate) worker_id: WorkerId,
    /// `None` if it is not registered but has running jobs.
    pub(crate) heartbeat_number: Option<i64>,
    pub(crate) loss: Loss,
    pub(crate) started: StartedTable,
    /// Whether more than one of its attempts had started.
    pub(crate) suspects: Suspects,
    /// Its file, locked by this process as long as its jobs are being taken.
    pub(crate) file: Option<File>,
}

impl LostWorker {
    /// Records in the file of a dead worker that its attempts were not alone. If only some of its jobs could be taken,
    /// the process that continues must not find the rest alone.
    pub(crate) fn keep_company(&self) {
        if self.suspects == Suspects::Several
            && let Some(file) = &self.file
            && let Err(error) = StartedTable::note_company(file)
        {
            crate::database::quiet::warning!(worker_id = %self.worker_id, %error, "could not record what a dead worker had started");
        }
    }
}

/// Whether a search judges the lease of a worker that it visits. Only one other worker does. Otherwise each suspect
/// would have as many observers that write as there are workers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    Judge,
    Observe,
}

impl WorkerSearch<'_> {
    pub(crate) fn find(&self) -> rusqlite::Result<Found> {
        let stuck = stuck_rows(self.connection, STEP_ROWS)?;
        let mut found = Found { stuck, ..Found::default() };
        match self.rounds.next(self.liveness.own_workers()) {
            SearchRound::Outside => {
                let workers = self.registered_workers()?;
                for row in &workers {
                    let _ = self.visit(row, Duty::Judge, &mut found)?;
                }
                self.find_unregistered(&workers, &mut found)?;
            }
            SearchRound::All(from) => {
                let workers = self.registered_workers()?;
                self.rounds.found(&from, workers.len());
                self.visit_ring(&from, &workers, &mut found)?;
                self.find_unregistered(&workers, &mut found)?;
            }
            SearchRound::Next(from) => {
                self.visit_next(&from, &mut found)?;
                self.visit_suspected(&mut found)?;
            }
        }
        Ok(found)
    }

    /// All workers in the order of the ring.
    fn visit_ring(&self, from: &WorkerId, workers: &[WorkerRow], found: &mut Found) -> rusqlite::Result<()> {
        let behind = workers.partition_point(|row| row.worker_id <= *from);
        let suspected: BTreeSet<WorkerId> = self.watches.suspected().into_iter().collect();
        let mut duty = Duty::Judge;
        for row in workers[behind..].iter().chain(&workers[..behind]) {
            let of_row = if suspected.contains(&row.worker_id) { Duty::Judge } else { duty };
            if self.visit(row, of_row, found)?.is_break() {
                duty = Duty::Observe;
            }
        }
        Ok(())
    }

    /// The following workers, up to the first that lives.
    fn visit_next(&self, from: &WorkerId, found: &mut Found) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(include_str!("../../sql/workers/select_next_worker.sql"))?;
        let mut after = from.clone();
        let mut has_passed_end = false;
        for _ in 0..WORKERS_MAX {
            let next = statement.query_row([after.as_str()], WorkerRow::read).optional()?;
            let Some(row) = next else {
                if has_passed_end {
                    break;
                }
                (has_passed_end, after) = (true, WorkerId::from_stored(""));
                continue;
            };
            let is_round = has_passed_end && row.worker_id >= *from;
            if is_round || self.visit(&row, Duty::Judge, found)?.is_break() {
                break;
            }
            after = row.worker_id;
        }
        Ok(())
    }

    /// The workers whose lease seemed to be over the last time, wherever they are in the ring.
    fn visit_suspected(&self, found: &mut Found) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached(include_str!("../../sql/workers/select_lease_of_worker.sql"))?;
        for worker_id in self.watches.suspected() {
            let is_visited = found.suspects.iter().any(|suspect| suspect.worker == worker_id)
                || found.lost.iter().any(|lost| lost.worker_id == worker_id);
            if is_visited {
                continue;
            }
            match statement.query_row([worker_id.as_str()], WorkerRow::read).optional()? {
                Some(row) => {
                    let _ = self.visit(&row, Duty::Judge, found)?;
                }
                None => self.watches.forget(&worker_id),
            }
        }
        Ok(())
    }

    /// Breaks at a worker that lives, because that one checks those behind it.
    fn visit(&self, row: &WorkerRow, duty: Duty, found: &mut Found) -> rusqlite::Result<ControlFlow<()>> {
        if self.liveness.is_own(&row.worker_id) {
            return Ok(ControlFlow::Break(()));
        }
        // Observed in any case, so that the time of its heartbeat counts from the first search.
        self.watches.observe(&row.reading(), self.now);
        if self.watches.is_postponed(&row.worker_id, self.now) {
            return Ok(ControlFlow::Continue(()));
        }
        match self.liveness.probe(&row.worker_id, &row.file) {
            Evidence::Own => return Ok(ControlFlow::Break(())),
            Evidence::Dead(file) => {
                found.lost.push(self.lost(row, Loss::Died, file)?);
                return Ok(ControlFlow::Continue(()));
            }
            Evidence::Alive | Evidence::Unknown if duty == Duty::Judge => self.judge(row, found)?,
            Evidence::Alive | Evidence::Unknown => {}
        }
        let is_stale = self.watches.is_stale(&row.reading(), self.now);
        Ok(if is_stale { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn judge(&self, row: &WorkerRow, found: &mut Found) -> rusqlite::Result<()> {
        match self.watches.verdict(&row.reading(), self.now) {
            LeaseVerdict::Holds => {}
            LeaseVerdict::Suspected => found.suspects.push(row.reading()),
            LeaseVerdict::Over => found.lost.push(self.lost(row, Loss::Lapsed, None)?),
        }
        Ok(())
    }

    fn lost(&self, row: &WorkerRow, loss: Loss, file: Option<File>) -> rusqlite::Result<LostWorker> {
        let worker_id = row.worker_id.clone();
        let started = match loss {
            Loss::Died => self.liveness.started(&worker_id, file.as_ref()),
            Loss::Lapsed => self.liveness.started_in_file(&worker_id, &row.file),
        };
        let suspects = self.count_suspects(&worker_id, &started)?;
        Ok(LostWorker { worker_id, heartbeat_number: Some(row.heartbeat_number), loss, started, suspects, file })
    }

    /// Whether one attempt of a dead worker had started, or several. Counted before the first job is taken, because
    /// afterwards the rest would look alone.
    fn count_suspects(&self, worker_id: &WorkerId, started: &StartedTable) -> rusqlite::Result<Suspects> {
        let mut begun = 0;
        let mut after = JobId(i64::MIN);
        loop {
            let jobs = HeldJob::read(self.connection, worker_id, after, STEP_ROWS)?;
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

    fn registered_workers(&self) -> rusqlite::Result<Vec<WorkerRow>> {
        self.connection
            .prepare_cached(include_str!("../../sql/workers/select_leases_of_workers.sql"))?
            .query_map([], WorkerRow::read)?
            .take(WORKERS_MAX)
            .collect()
    }

    /// Finds workers with running jobs that are not registered: a job must not hang because its worker's row was
    /// deleted. A living worker registers again, and the lock of its file shows that it lives.
    fn find_unregistered(&self, workers: &[WorkerRow], found: &mut Found) -> rusqlite::Result<()> {
        let registered: BTreeSet<&WorkerId> = workers.iter().map(|row| &row.worker_id).collect();
        let running = self.running_workers(&mut found.stuck)?;
        for worker_id in running.iter().filter(|worker_id| !registered.contains(worker_id)) {
            let file = FileRecord::default();
            let row = WorkerRow { worker_id: worker_id.clone(), heartbeat_number: -1, lease: LEASE_WITHOUT_ROW, file };
            let is_late = self.watches.observe(&row.reading(), self.now);
            let is_left_alone = match self.liveness.probe(worker_id, &row.file) {
                Evidence::Own => true,
                Evidence::Alive => !is_late,
                Evidence::Unknown | Evidence::Dead(_) => false,
            };
            if !is_left_alone && !self.watches.is_postponed(worker_id, self.now) {
                found.lost.push(LostWorker { heartbeat_number: None, ..self.lost(&row, Loss::Lapsed, None)? });
            }
        }
        let unregistered: BTreeSet<&WorkerId> = running.iter().collect();
        let is_known = |worker_id: &WorkerId| registered.contains(worker_id) || unregistered.contains(worker_id);
        self.liveness.sweep(is_known);
        self.watches.keep_only(is_known);
        Ok(())
    }

    /// Workers with running jobs, registered or not. Jobs whose worker id is invalid are added to `stuck`.
    fn running_workers(&self, stuck: &mut Vec<JobId>) -> rusqlite::Result<Vec<WorkerId>> {
        let mut statement =
            self.connection.prepare_cached(include_str!("../../sql/workers/select_next_running_worker.sql"))?;
        let mut workers: Vec<WorkerId> = Vec::new();
        // As bytes, because an id that is not UTF-8, read as text, would be found again and again.
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
                Err(_) => stuck.extend(self.jobs_of(&word)?),
            }
            last = word;
        }
        Ok(workers)
    }

    fn jobs_of(&self, worker: &[u8]) -> rusqlite::Result<Vec<JobId>> {
        self.connection
            .prepare_cached(include_str!("../../sql/workers/select_running_of_worker.sql"))?
            .query_map([ToSqlOutput::Borrowed(ValueRef::Text(worker))], |row| column::id(row, 0))?
            .take(STEP_ROWS as usize)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longshore_core::Store as _;
    use longshore_core::{Reclaimed, Registration, WorkerId};

    use crate::{SqliteOptions, SqliteStore, schema};

    const WORKERS: u64 = 16;

    async fn process(options: &SqliteOptions, number: u64) -> SqliteStore {
        let store = SqliteStore::open(options.clone()).expect("the database is there");
        let registration = Registration {
            worker_id: WorkerId::from_stored(&format!("worker-{number:02}")),
            host: String::new(),
            pid: 1,
            lease: std::time::Duration::from_secs(3600),
            queues: Vec::new(),
            job_types: Arc::new([]),
            settings: Arc::new([]),
            concurrency: 1,
            presence: longshore_core::Presence::Process,
        };
        longshore_testkit::register_for_good(&store, registration).await;
        store
    }

    /// Each store searches once. Returns the workers that were found dead.
    async fn all_look(stores: &[SqliteStore]) -> Vec<WorkerId> {
        let mut found = Vec::new();
        for store in stores {
            let Reclaimed { workers, .. } = store.reclaim().await.expect("it can be looked");
            found.extend(workers);
        }
        found
    }

    fn probes(stores: &[SqliteStore]) -> u64 {
        stores.iter().map(|store| store.parts.liveness.probes()).sum()
    }

    #[tokio::test]
    async fn many_workers_probe_few_files_each_and_find_a_death_with_the_next_look() {
        let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
        let path = folder.path().join("queue.db");
        schema::latest_up(&path).expect("the migrations apply");
        let options = SqliteOptions::new(path);
        let mut stores = Vec::new();
        for number in 0..WORKERS {
            stores.push(process(&options, number).await);
        }
        // The first search of each store visits all workers, and the second round starts out of step.
        for _ in 0..2 * WORKERS {
            assert_eq!(all_look(&stores).await, []);
        }

        let before = probes(&stores);
        for _ in 0..WORKERS {
            assert_eq!(all_look(&stores).await, []);
        }
        let each_time = (probes(&stores) - before) / WORKERS;

        assert!((WORKERS..=3 * WORKERS).contains(&each_time), "{each_time} files were probed for {WORKERS} workers");
        while stores.len() > 2 {
            stores.swap_remove(stores.len() / 2).close();
            assert_eq!(all_look(&stores).await.len(), 1);
        }
        stores.iter().for_each(SqliteStore::close);
    }
}
