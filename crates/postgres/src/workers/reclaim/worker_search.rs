use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use longshore_core::{LeaseVerdict, SearchRound, WorkerId, WorkerReading};
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::workers::reclaim::lost_worker::{Loss, LostWorker};
use crate::workers::reclaim::worker_row::{Sign, WorkerRow};

/// How many workers one search visits.
const WORKERS_MAX: i64 = 10_000;
/// How many workers a search reads that goes only to the next one that lives. A search that meets more dead ones than
/// that goes on the next time, when those are gone.
const NEXT_MAX: i64 = 8;
/// How many running jobs of unregistered workers one search reads.
const UNREGISTERED_MAX: i64 = 500;
/// How often all running jobs are looked through for workers that are not registered, and for lost claims.
const UNREGISTERED_EVERY: Duration = Duration::from_secs(10);
/// After a connection was lost, a free lock shows nothing for this long: what cut this process off may have cut off
/// others, whose sessions then ended although they live.
const DISTRUST: Duration = Duration::from_secs(10);
/// How long a worker that lives has to say that it lost its session, before its free lock is taken for its death.
const CONFIRMATION: Duration = Duration::from_millis(300);

/// A search for workers that are dead or do not extend their lease.
pub(crate) struct WorkerSearch<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) now: Duration,
    found: Found,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Workers whose jobs must be taken.
    pub(crate) lost: Vec<LostWorker>,
    /// Workers whose lease may be over.
    pub(crate) suspects: Vec<WorkerReading<i32>>,
}

/// Whether a search judges the lease of a worker that it visits. Only one other worker does. Otherwise each suspect
/// would have as many observers that write as there are workers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    Judge,
    Observe,
}

impl<'a> WorkerSearch<'a> {
    pub(crate) fn new(parts: &'a Parts) -> Self {
        Self { parts, now: parts.options.clock.monotonic(), found: Found::default() }
    }

    pub(crate) async fn find(mut self) -> Result<Found, Fault> {
        let reclaim = &self.parts.workers.reclaim;
        let session = self.parts.pool.session().await?;
        let suspected = reclaim.watches.suspected();
        match reclaim.rounds.next(self.parts.workers.own.numbers()) {
            SearchRound::Outside => {
                let workers = visited(&session, i32::MIN, WORKERS_MAX, &[]).await?;
                for row in &workers {
                    let _ = self.visit(row, Duty::Judge);
                }
                self.look_at_all(&session, &workers).await?;
            }
            SearchRound::All(from) => {
                let workers = visited(&session, from, WORKERS_MAX, &[]).await?;
                // Without the one from which it begins.
                reclaim.rounds.found(&from, workers.len() + 1);
                self.visit_ring(&workers, &suspected);
                self.look_at_all(&session, &workers).await?;
            }
            SearchRound::Next(from) => {
                let workers = visited(&session, from, NEXT_MAX, &suspected).await?;
                self.visit_next(&workers);
            }
        }
        drop(session);
        self.confirm().await?;
        Ok(self.found)
    }

    /// All workers in the order of the ring.
    fn visit_ring(&mut self, workers: &[WorkerRow], suspected: &[i32]) {
        let mut duty = Duty::Judge;
        for row in workers {
            let of_row = if suspected.contains(&row.worker) { Duty::Judge } else { duty };
            if self.visit(row, of_row).is_break() {
                duty = Duty::Observe;
            }
        }
    }

    /// The following workers, up to the first that lives, and those whose lease seemed to be over the last time.
    fn visit_next(&mut self, workers: &[WorkerRow]) {
        let mut visited = BTreeSet::new();
        let mut is_over = false;
        for row in workers {
            if is_over && !row.is_extra || !visited.insert(row.worker) {
                continue;
            }
            is_over |= self.visit(row, Duty::Judge).is_break();
        }
    }

    /// Breaks at a worker that lives, because that one checks those behind it.
    fn visit(&mut self, row: &WorkerRow, duty: Duty) -> ControlFlow<()> {
        let workers = &self.parts.workers;
        if workers.own.contains(&row.worker_id) {
            return ControlFlow::Break(());
        }
        let watches = &workers.reclaim.watches;
        // Observed in any case, so that the time of its heartbeat counts from the first search.
        watches.observe(&row.reading(), self.now);
        if watches.is_postponed(&row.worker, self.now) {
            return ControlFlow::Continue(());
        }
        match row.sign {
            Sign::GivenUp => {
                self.found.lost.push(LostWorker::of(row, Loss::GivenUp));
                return ControlFlow::Continue(());
            }
            Sign::Free if !self.parts.pool.has_lost_within(DISTRUST) => {
                self.found.lost.push(LostWorker::of(row, Loss::Died));
                return ControlFlow::Continue(());
            }
            Sign::Alive | Sign::Unknown | Sign::Free if duty == Duty::Judge => self.judge(row),
            Sign::Alive | Sign::Unknown | Sign::Free => {}
        }
        if watches.is_stale(&row.reading(), self.now) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn judge(&mut self, row: &WorkerRow) {
        match self.parts.workers.reclaim.watches.verdict(&row.reading(), self.now) {
            LeaseVerdict::Holds => {}
            LeaseVerdict::Suspected => self.found.suspects.push(row.reading()),
            LeaseVerdict::Over => self.found.lost.push(LostWorker::of(row, Loss::Lapsed)),
        }
    }

    /// A search that reads all workers also forgets those that have gone, and finds those that only their jobs name.
    async fn look_at_all(&mut self, session: &Session, workers: &[WorkerRow]) -> Result<(), Fault> {
        let reclaim = &self.parts.workers.reclaim;
        let registered: BTreeSet<i32> = workers.iter().map(|row| row.worker).collect();
        reclaim.watches.keep_only(|worker| registered.contains(worker));
        if !reclaim.is_time_for_unregistered(self.now, UNREGISTERED_EVERY) {
            return Ok(());
        }
        session.execute(sql!("workers/restore_claims"), &[]).await?;
        let limit: [Parameter<'_>; 1] = [(&UNREGISTERED_MAX, Type::INT8)];
        for row in session.query(sql!("workers/select_unregistered"), &limit).await? {
            let worker_id = row.try_get::<_, Option<&str>>("worker_id")?.unwrap_or_default();
            self.found.lost.push(LostWorker {
                worker: row.try_get("worker")?,
                worker_id: WorkerId::from_stored(worker_id),
                seen: None,
                loss: Loss::Lapsed,
            });
        }
        Ok(())
    }

    /// Drops those workers from the dead that have said meanwhile that they live.
    async fn confirm(&mut self) -> Result<(), Fault> {
        let dead: Vec<i32> =
            self.found.lost.iter().filter(|lost| lost.loss == Loss::Died).map(|lost| lost.worker).collect();
        if dead.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(CONFIRMATION).await;
        let session = self.parts.pool.session().await?;
        let rows = visited(&session, i32::MAX, 0, &dead).await?;
        let is_trusted = !self.parts.pool.has_lost_within(DISTRUST);
        self.found.lost.retain(|lost| {
            let is_still = |row: &WorkerRow| {
                row.worker == lost.worker && row.sign == Sign::Free && LostWorker::of(row, Loss::Died).seen == lost.seen
            };
            lost.loss != Loss::Died || is_trusted && rows.iter().any(is_still)
        });
        Ok(())
    }
}

async fn visited(session: &Session, after: i32, limit: i64, extra: &[i32]) -> Result<Vec<WorkerRow>, Fault> {
    let values: [Parameter<'_>; 3] = [(&after, Type::INT4), (&limit, Type::INT8), (&extra, Type::INT4_ARRAY)];
    let rows = session.query(sql!("workers/visit_workers"), &values).await?;
    Ok(rows.iter().map(WorkerRow::read).collect::<Result<_, _>>()?)
}
