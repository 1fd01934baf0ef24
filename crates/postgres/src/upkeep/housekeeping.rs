use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use longshore_core::{JobId, Maintained, Maintenance, Retention, Timestamp};
use postgres_types::Type;

use crate::jobs::actions::delete::delete;
use crate::jobs::state::{Held, lock};
use crate::limiting;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::audit::{Drift, find_drift};
use crate::upkeep::counts::Counts;
use crate::upkeep::duties::Term;
use crate::upkeep::keepers::Keepers;
use crate::upkeep::partitions::ahead::provide;
use crate::upkeep::partitions::retire::{Retired, Span, retire};
use crate::upkeep::pruning::Pruning;
use crate::upkeep::stats::now;
use crate::upkeep::stuck::settle;
use crate::workflows::advance::advance_all;

/// The duty of the store that adds the counts up and compares them.
const COUNTS: &str = "counts";
/// The duty of the store that makes partitions for the next jobs.
const PARTITIONS: &str = "partitions";
/// How often house is kept, and how often if the counts change a lot.
const SWEEP: Duration = Duration::from_secs(60);
const BUSY_SWEEP: Duration = Duration::from_secs(5);
/// The pause between two steps, so that a long sweep leaves room for the jobs.
const PAUSE: Duration = Duration::from_millis(100);
/// In a long sweep, the walk for rows that should not be there has a part in every tenth step only: it never ends, and its
/// part takes as long as all others together.
const STRAYS_EVERY: u32 = 10;
/// How many changes of the counts one statement adds up, how many such statements one step makes, and from how many
/// changes on the next step comes sooner.
const FOLDED_MAX: i64 = 5000;
const FOLDS_MAX: u32 = 20;
const MANY_CHANGES: i64 = 1000;
/// How many old minutes are deleted at once.
const MINUTES_DROPPED_MAX: i64 = 10_000;
/// How many counts one transaction corrects.
const MENDED_MAX: usize = 5000;

/// One bounded step: removes jobs whose retention is over, adds the counts up and compares them with the jobs.
pub(crate) async fn maintain(parts: Arc<Parts>, maintenance: Maintenance) -> Result<Maintained, Fault> {
    let rows_max = maintenance.rows_max.max(1);
    let _turn = parts.upkeep.duties.wait_for_turn().await;
    let retentions =
        [(Pruning::Ended, maintenance.retention), (Pruning::DeadLetters, maintenance.dead_letter_retention)];
    let pruning =
        || retentions.into_iter().filter_map(|(what, retention)| Some((what, retention, what.duty(retention)?)));
    let duties = pruning().map(|(_, _, duty)| duty).chain([COUNTS.to_owned(), PARTITIONS.to_owned()]).collect();
    let mut terms = {
        let session = parts.pool.session().await?;
        parts.upkeep.duties.take(&session, duties).await?
    };
    let mut maintained = Maintained::default();
    let mut batches = None;
    for (what, retention, duty) in pruning() {
        let Some(term) = terms.remove(&duty) else { continue };
        let retired = match what {
            Pruning::Ended => retire(&parts, &term, retention).await?,
            // They are few, and nobody waits for the last one of a partition for so long.
            Pruning::DeadLetters => Retired::default(),
        };
        maintained.pruned += retired.removed;
        maintained.has_more |= retired.has_more;
        let step = Prune { term: term.clone(), what, retention, rows_max, spans: retired.spans };
        let pruned = prune(&parts, &duty, step).await?;
        batches = batches.or_else(|| (what == Pruning::Ended).then_some((term, retention)));
        maintained.pruned += pruned.removed;
        maintained.kept += pruned.kept;
        maintained.has_more |= pruned.next.is_some();
    }
    let settled = settle(&parts, rows_max).await?;
    maintained.settled = settled.jobs;
    maintained.has_more |= settled.has_more;
    maintained.has_more |= parts.upkeep.ticks.step(&parts, rows_max).await?;
    maintained.has_more |= limiting::upkeep::step(&parts, rows_max).await?;
    if let Some(term) = terms.remove(PARTITIONS) {
        provide(&parts, &term).await?;
        maintained.has_more |= parts.upkeep.stories.sweep(&parts).await?;
    }
    let mut sweep = SWEEP;
    if let Some(term) = terms.remove(COUNTS) {
        if parts.upkeep.steps.fetch_add(1, Ordering::Relaxed).is_multiple_of(STRAYS_EVERY) {
            maintained.settled += parts.upkeep.strays.settle(&parts).await?;
        }
        parts.upkeep.names.sweep(&parts).await?;
        parts.workflows.sweep.step(&parts).await?;
        let folded = fold(&parts).await?;
        maintained.has_more |= folded.has_more;
        maintained.reconciled = reconcile(&parts, &term).await?;
        sweep = if folded.changes >= MANY_CHANGES { BUSY_SWEEP } else { SWEEP };
    }
    maintained.has_more |= advance_all(&parts).await?;
    // A batch goes after its members, which are counted out by the steps above.
    if let Some((term, retention)) = batches {
        maintained.has_more |= parts.workflows.pruning.step(&parts, &term, retention).await?;
    }
    if !maintained.has_more {
        parts.upkeep.steps.store(0, Ordering::Relaxed);
    }
    maintained.next = if maintained.has_more { PAUSE } else { sweep };
    Ok(maintained)
}

struct Folded {
    changes: i64,
    has_more: bool,
}

/// Adds the changes of the counts up, so that readers need not, and deletes old minutes.
async fn fold(parts: &Parts) -> Result<Folded, Fault> {
    let session = parts.pool.session().await?;
    let mut folded = Folded { changes: 0, has_more: false };
    for _ in 0..FOLDS_MAX {
        let row = session.query_opt(sql!("upkeep/fold_changes"), &[(&FOLDED_MAX, Type::INT8)]).await?;
        let changes: i64 = row.expect("a count is one row").try_get(0)?;
        folded.changes += changes;
        folded.has_more = changes == FOLDED_MAX;
        if !folded.has_more {
            break;
        }
    }
    session.execute(sql!("upkeep/delete_old_minutes"), &[(&MINUTES_DROPPED_MAX, Type::INT8)]).await?;
    Ok(folded)
}

/// Compares the counts when it is time. Returns how many were wrong.
async fn reconcile(parts: &Parts, term: &Term) -> Result<u64, Fault> {
    let now = parts.options.clock.monotonic();
    if !parts.upkeep.audit.is_due(now) {
        return Ok(0);
    }
    let begun = Instant::now();
    let compared = find_drift(parts).await?;
    parts.upkeep.audit.rest(now, begun.elapsed(), compared.is_whole);
    let mut mended = 0;
    for drift in compared.drift.chunks(MENDED_MAX) {
        mended += mend(parts, term, drift).await?;
    }
    Ok(mended)
}

/// Corrects counts by the differences that were found. A counted change does not alter a difference, so it may come
/// from an older state of the database. A correction by another store does alter it, so the term must not have ended.
async fn mend(parts: &Parts, term: &Term, drift: &[Drift]) -> Result<u64, Fault> {
    let transaction = parts.pool.begin().await?;
    if !term.is_current(&transaction).await? {
        return Ok(0);
    }
    let mut counts = Counts::default();
    for Drift { queue, status, by } in drift {
        tracing::warn!(queue, %status, by, "a count was wrong");
        counts.add(queue, *status, *by);
    }
    counts.flush(&transaction).await?;
    transaction.commit().await?;
    Ok(drift.len() as u64)
}

/// Removes ended jobs in one range of ids.
struct Prune {
    term: Term,
    what: Pruning,
    retention: Retention,
    rows_max: u32,
    /// Jobs that are removed together with their partition.
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pruned {
    removed: u64,
    /// Jobs that a table of the application refers to.
    kept: u64,
    /// Where the next step starts. `None` at the end of the walk.
    next: Option<JobId>,
    /// Whether that is behind jobs that are removed together.
    has_passed: bool,
}

/// Takes one step of the walk of this duty.
async fn prune(parts: &Parts, duty: &str, prune: Prune) -> Result<Pruned, Fault> {
    let walk = parts.upkeep.audit.walk(duty, parts.options.clock.monotonic());
    let mut pruned = prune.step(parts, walk.after.unwrap_or(JobId(i64::MIN))).await?;
    if !walk.is_whole && !pruned.has_passed && pruned.removed + pruned.kept == 0 {
        // Older ids ended earlier, by and large: where none is old any more, the walk ends for now.
        pruned.next = None;
    }
    parts.upkeep.audit.set_walk(duty, pruned.next);
    Ok(pruned)
}

impl Prune {
    async fn step(&self, parts: &Parts, after: JobId) -> Result<Pruned, Fault> {
        let Some(span) = self.retention.span() else { return Ok(Pruned::default()) };
        let transaction = parts.pool.begin().await?;
        if !self.term.is_current(&transaction).await? {
            return Ok(Pruned::default());
        }
        let now = now(&transaction).await?;
        let cutoff = now.before(span);
        let after = self.first_after(&transaction, after).await?;
        let span = self.spans.iter().filter(|(_, high)| *high > after.0).min();
        let page = self.page(&transaction, after, span.map_or(i64::MAX, |(low, _)| *low)).await?;
        let is_full = page.len() == self.rows_max as usize;
        let has_passed = !is_full && span.is_some();
        let behind = span.filter(|_| has_passed).map(|(_, high)| JobId(*high - 1));
        let next = behind.or_else(|| page.last().map(|(id, _)| *id).filter(|_| is_full));
        let passed = Pruned { next, has_passed, ..Pruned::default() };
        let old: Vec<JobId> = page.iter().filter(|(_, ended_at)| *ended_at < cutoff).map(|(id, _)| *id).collect();
        if old.is_empty() {
            return Ok(passed);
        }
        transaction.execute(sql!("actions/check_constraints_at_once"), &[]).await?;
        let referred = Keepers::read(&transaction).await?.kept(&transaction, &old).await?;
        let mut held = lock(&transaction, &old).await?.held;
        let is_old = |job: &Held| self.what.covers(job.status) && job.ended_at.is_some_and(|at| at < cutoff);
        held.retain(|job| is_old(job) && !referred.contains(&job.id));
        let mut pruned = remove_all(&transaction, &held, now).await?;
        pruned.kept += referred.len() as u64;
        transaction.commit().await?;
        Ok(Pruned { next, has_passed, ..pruned })
    }

    /// A default leaves the jobs alone that were there before it.
    async fn first_after(&self, session: &Session, after: JobId) -> Result<JobId, Fault> {
        if !matches!(self.retention, Retention::Default(_)) {
            return Ok(after);
        }
        let row = session.query_opt(sql!("upkeep/select_history"), &[]).await?;
        Ok(JobId(row.expect("a maximum is one row").try_get(0)?).max(after))
    }

    async fn page(&self, session: &Session, after: JobId, end: i64) -> Result<Vec<(JobId, Timestamp)>, Fault> {
        let rows_max = i64::from(self.rows_max);
        let parameters: [Parameter<'_>; 3] = [(&after.0, Type::INT8), (&rows_max, Type::INT8), (&end, Type::INT8)];
        let mut page = Vec::new();
        for row in session.query(self.what.page(), &parameters).await? {
            let columns = &mut Columns::of(&row);
            page.push((columns.id()?, columns.instant()?));
        }
        Ok(page)
    }
}

/// Deletes them together. Only if one cannot be deleted, each gets its own savepoint, so that only that one stays.
async fn remove_all(transaction: &Transaction, jobs: &[Held], now: Timestamp) -> Result<Pruned, Fault> {
    let mut counts = Counts::default();
    transaction.client.batch_execute("SAVEPOINT jobs").await?;
    match delete(transaction, jobs, now, &mut counts).await {
        Err(fault) if fault.is_refusal() => {}
        done => {
            done?;
            counts.flush(transaction).await?;
            return Ok(Pruned { removed: jobs.len() as u64, ..Pruned::default() });
        }
    }
    transaction.client.batch_execute("ROLLBACK TO SAVEPOINT jobs").await?;
    let mut pruned = Pruned::default();
    let mut counts = Counts::default();
    for job in jobs {
        let mut of_one = Counts::default();
        transaction.client.batch_execute("SAVEPOINT job").await?;
        match delete(transaction, std::slice::from_ref(job), now, &mut of_one).await {
            Err(fault) if fault.is_refusal() => {
                transaction.client.batch_execute("ROLLBACK TO SAVEPOINT job").await?;
                tracing::warn!(job_id = job.id.0, reason = %fault.reason(), "a constraint prevented the removal of an old job");
                pruned.kept += 1;
            }
            done => {
                done?;
                transaction.client.batch_execute("RELEASE SAVEPOINT job").await?;
                counts.merge(of_one);
                pruned.removed += 1;
            }
        }
    }
    counts.flush(transaction).await?;
    Ok(pruned)
}
