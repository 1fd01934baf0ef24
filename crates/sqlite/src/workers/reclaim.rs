pub(crate) mod suspect;
pub(crate) mod take_over;
pub(crate) mod worker_search;

use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Clock, JobId, Reclaimed, SearchRounds, StoreError, Timestamp, WorkerId, WorkerReading, WorkerWatches,
};

use crate::database::readers::Readers;
use crate::jobs::overdue::{EndOverdue, overdue_page};
use crate::jobs::stuck::Settle;
use crate::jobs::type_settings::{ApplySettings, awaiting_page};
use crate::workers::held_job::Loss;
use crate::workers::liveness::Liveness;
use crate::workers::reclaim::suspect::SuspectAll;
use crate::workers::reclaim::take_over::{End, STEP_ROWS, TakeOverStep};
use crate::workers::reclaim::worker_search::{Found, LostWorker, WorkerSearch};
use crate::workers::worker_record::Signs;
use crate::workflows::followups::{Advance, STEP_MAX, has_work};
use crate::writing::writer::Writer;

/// How long a process waits between two looks. The ring keeps the cost of many processes small (see `rounds`), so that
/// every process may look as often.
const LOOK: Duration = Duration::from_millis(250);

/// How many steps of workflows one search takes, and when the next one comes if there is more to do.
const ADVANCES_MAX: u32 = 10;
const AT_ONCE: Duration = Duration::from_millis(1);

/// Finds lost workers and takes their jobs.
#[derive(Clone, Debug)]
pub(crate) struct Reclaim {
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
    watches: Arc<WorkerWatches<WorkerId>>,
    rounds: Arc<SearchRounds<WorkerId>>,
}

impl Reclaim {
    pub(crate) fn new(liveness: Arc<Liveness>, clock: Arc<dyn Clock>) -> Self {
        Self { liveness, clock, watches: Arc::default(), rounds: Arc::default() }
    }

    /// The evidence that is shown to people.
    pub(crate) fn signs(&self, now: Timestamp, monotonic: Duration) -> Signs<'_> {
        Signs { liveness: &self.liveness, watches: &self.watches, now, monotonic }
    }

    /// One search and its consequences, in bounded steps.
    pub(crate) async fn run(&self, readers: &Readers, writer: &Writer) -> Result<Reclaimed, StoreError> {
        let looker = self.clone();
        let Found { lost, suspects, stuck, overdue, awaiting, mut has_followups } = readers
            .run("searching for dead workers", move |tx| {
                let overdue = overdue_page(tx.connection, tx.now, STEP_ROWS)?;
                let awaiting = awaiting_page(tx.connection, STEP_ROWS)?;
                let has_followups = has_work(tx.connection, tx.now)?;
                Ok(Found { overdue, awaiting, has_followups, ..looker.find(tx.connection)? })
            })
            .await?;
        if !stuck.is_empty() {
            // No worker will ever return these.
            writer.run(Settle { ids: stuck }).await?;
        }
        if !awaiting.is_empty() {
            writer.run(ApplySettings { ids: awaiting }).await?;
        }
        let mut reclaimed = Reclaimed { next: LOOK, ..Reclaimed::default() };
        if !overdue.is_empty() {
            reclaimed.overdue = writer.run(EndOverdue { ids: overdue }).await?;
        }
        for worker in lost {
            self.take_over(writer, worker, &mut reclaimed).await?;
        }
        if !suspects.is_empty() {
            self.suspect(writer, suspects).await?;
        }
        for _ in 0..ADVANCES_MAX {
            if !has_followups {
                return Ok(reclaimed);
            }
            has_followups = writer.run(Advance { limit: STEP_MAX }).await?.has_more;
        }
        // Each is a transaction of its own, so that other requests come in between.
        reclaimed.next = AT_ONCE;
        Ok(reclaimed)
    }

    fn find(&self, connection: &rusqlite::Connection) -> rusqlite::Result<Found> {
        let Self { liveness, watches, rounds, clock } = self;
        WorkerSearch { connection, liveness, watches, rounds, now: clock.monotonic() }.find()
    }

    async fn take_over(
        &self,
        writer: &Writer,
        worker: LostWorker,
        reclaimed: &mut Reclaimed,
    ) -> Result<(), StoreError> {
        worker.keep_company();
        // This process keeps the file locked until this returns.
        let LostWorker { worker_id, heartbeat_number, loss, started, suspects, file: _file } = worker;
        let started = Arc::new(started);
        let mut next = Some(JobId(i64::MIN));
        let mut end = End::Elsewhere;
        while let Some(after) = next {
            let (started, clock) = (Arc::clone(&started), Arc::clone(&self.clock));
            let asked_at = clock.monotonic();
            let step = TakeOverStep {
                worker_id: worker_id.clone(),
                heartbeat_number,
                loss,
                started,
                suspects,
                after,
                asked_at,
                clock,
            };
            let taken = match writer.run(step).await {
                Ok(taken) => taken,
                Err(error) => {
                    // Nobody could write, so the worker could not either.
                    self.watches.begin_anew(&worker_id);
                    return Err(error);
                }
            };
            reclaimed.jobs += taken.jobs;
            end = taken.end;
            next = taken.next;
        }
        match end {
            End::Gone => {
                self.watches.forget(&worker_id);
                match loss {
                    Loss::Died => self.liveness.forget(&worker_id),
                    // It may live, and then it needs its file to come back.
                    Loss::Lapsed => self.liveness.forget_unlocked(&worker_id),
                }
                reclaimed.workers.push(worker_id);
            }
            End::Stuck => self.watches.postpone(&worker_id, self.clock.monotonic()),
            End::Late => self.watches.begin_anew(&worker_id),
            End::Elsewhere => {}
        }
        Ok(())
    }

    /// Gives workers whose lease seems to be over a chance: if this can be written, they could have written their
    /// heartbeat.
    async fn suspect(&self, writer: &Writer, suspects: Vec<WorkerReading<WorkerId>>) -> Result<(), StoreError> {
        let written = writer.run(SuspectAll { suspects: suspects.clone() }).await;
        self.watches.note(&suspects, written.is_ok().then(|| self.clock.monotonic()));
        written
    }
}
