mod alone;
mod bulk;
pub(crate) mod columns;
mod dependent;
mod duplicate;
pub(crate) mod enqueue_in;
mod group;
mod leased;
pub(crate) mod offer;
pub(crate) mod plain;
mod slots;
pub(crate) mod statement;
pub(crate) mod stream;

use std::sync::{Arc, OnceLock};

use longshore_core::{Enqueued, JobData, ValidJob};
use tokio::sync::Semaphore;

use self::alone::enqueue_alone;
use self::columns::Columns;
use self::dependent::Dependent;
use self::group::{Group, Sort};
use self::leased::insert_leased;
use self::offer::Inboxes;
use self::plain::{insert_in, insert_plain, is_plain};
use self::stream::{BULK_JOBS_MIN, enqueue_many};
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::store::Parts;

const DOING: &str = "enqueueing jobs";
/// A request with more jobs has a statement of its own.
const GROUP_JOBS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 256 * 1024;

/// What the enqueues of this store share.
#[derive(Debug, Default)]
pub(crate) struct Enqueues {
    plain: Group,
    dependent: Group,
    alone: OnceLock<Semaphore>,
    pub(crate) inboxes: Inboxes,
}

impl Enqueues {
    fn group(&self, sort: Sort) -> &Group {
        match sort {
            Sort::Plain => &self.plain,
            Sort::Dependent => &self.dependent,
        }
    }

    /// A permit for each enqueue that may wait for others: half of the connections.
    fn alone(&self, parts: &Parts) -> &Semaphore {
        self.alone.get_or_init(|| Semaphore::new((parts.options.connections_max / 2).max(1)))
    }
}

/// Enqueues all of the jobs or none.
pub(crate) async fn enqueue(parts: Arc<Parts>, jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, Fault> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    if let [job] = jobs.as_slice()
        && let Some(taken) = parts.enqueues.inboxes.take(job)
        && let Some(enqueued) = insert_leased(&parts, job, taken).await?
    {
        return Ok(vec![enqueued]);
    }
    let is_small = jobs.len() <= GROUP_JOBS_MAX && bytes_of(&jobs) <= GROUP_BYTES_MAX;
    match jobs.iter().all(is_plain) {
        true if is_small => Group::enqueue(&parts, Sort::Plain, jobs).await,
        true if jobs.len() >= BULK_JOBS_MIN => enqueue_many(&parts, &jobs).await,
        true => Ok(insert_plain(&parts, || &jobs).await?.into_iter().map(Enqueued::made).collect()),
        false if is_small && jobs.len() == 1 => Group::enqueue(&parts, Sort::Dependent, jobs).await,
        false => enqueue_alone(&parts, &jobs).await,
    }
}

/// Creates jobs in the caller's transaction, in their order. Gives what to tell after the commit, too.
pub(crate) async fn enqueue_within(
    parts: &Parts,
    transaction: &Transaction,
    jobs: &[&ValidJob],
) -> Result<(Vec<Enqueued>, Changes), Fault> {
    let mut dependent = Dependent::in_transaction(transaction, &parts.context);
    let (mut enqueued, mut changes) = (Vec::with_capacity(jobs.len()), Changes::default());
    for run in jobs.chunk_by(|one, next| is_plain(one) == is_plain(next)) {
        if is_plain(run[0]) {
            run.iter().for_each(|job| changes.add_job(Some(&job.job_type), &job.queue));
            let ids = insert_in(transaction, &Columns::of(run.iter().copied())).await?;
            enqueued.extend(ids.into_iter().map(Enqueued::made));
        } else {
            let run: Vec<ValidJob> = run.iter().map(|job| (*job).clone()).collect();
            enqueued.extend(dependent.insert(&run).await?);
        }
    }
    changes.merge(dependent.changes());
    Ok((enqueued, changes))
}

fn bytes_of(jobs: &[ValidJob]) -> usize {
    jobs.iter().map(|job| job.job_data.len() + job.metadata.as_ref().map_or(0, JobData::len)).sum()
}
