use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use longshore_core::{ClaimNumber, JobId, Outcome, Record, Recorded, Status, WorkerId};
use postgres_types::Type;

use super::batch::{Batch, Children, WithLog, Written};
use super::family::give_up_children;
use crate::jobs::claim::hints::Changes;
use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::limiting::slow_down::slow_down;
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;
use crate::workflows::advance::advance_at_once;

const TOGETHER: Children = Children::Together;

/// Writes what became of attempts. If the database refuses one, each is written in its own savepoint.
pub(crate) async fn record(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    records: Arc<[Record]>,
) -> Result<Vec<Recorded>, Fault> {
    let begun = Instant::now();
    let written = match names_a_job_twice(&records) {
        true => None,
        false => match repeated(|| write_together(&parts, &worker_id, &records)).await {
            Err(fault) if fault.is_refusal() => None,
            written => Some(written?),
        },
    };
    let written = match written {
        Some(written) => written,
        None => repeated(|| write_apart(&parts, &worker_id, &records)).await?,
    };
    parts.writes.committed(1, begun.elapsed());
    let ended: Vec<_> = std::iter::zip(records.iter(), &written.answers)
        .filter(|(_, answer)| !matches!(answer, Recorded::Refused { .. }))
        .map(|(record, _)| (record.id, record.claim_number))
        .collect();
    parts.claims.held.end(&worker_id, &ended);
    let mut news = written.news;
    parts.limiting.places.free(&worker_id, &ended, &mut news);
    parts.claims.hints.give(news);
    if written.may_be_awaited {
        advance_at_once(&parts).await;
    }
    Ok(written.answers)
}

/// Whether two records are of two claims of one job, of which at most one can be current.
fn names_a_job_twice(records: &[Record]) -> bool {
    let mut claims = HashMap::with_capacity(records.len());
    records.iter().any(|record| *claims.entry(record.id).or_insert(record.claim_number) != record.claim_number)
}

/// The answers of a call, and whom to tell of it.
#[derive(Default)]
struct Answered {
    answers: Vec<Recorded>,
    news: Changes,
    may_be_awaited: bool,
}

impl Answered {
    /// Jobs of these types and queues may be found now or later.
    fn add(&mut self, claimable: &[(String, String)]) {
        claimable.iter().for_each(|(job_type, queue)| self.news.add_job(Some(job_type), queue));
    }
}

async fn write_together(parts: &Parts, worker_id: &WorkerId, records: &[Record]) -> Result<Answered, Fault> {
    let batch = Batch::new(worker_id, records, WithLog::Yes, &parts.claims.held);
    let written = if records.iter().any(|record| record.slow_down.is_some()) {
        let transaction = parts.pool.begin().await?;
        slow_down(&transaction, worker_id, records).await?;
        let values = batch.values();
        let parents = parents_of(&values.ids);
        let answers = transaction.pipeline(&batch.calls(&values, &parents, TOGETHER)).await?;
        let written = batch.read(answers, TOGETHER)?;
        give_up(&transaction, &written).await?;
        transaction.commit().await?;
        written
    } else if batch.may_give_up() {
        let (transaction, written) = write_begun(parts, &batch).await?;
        give_up(&transaction, &written).await?;
        transaction.commit().await?;
        written
    } else {
        let values = batch.values();
        let parents = parents_of(&values.ids);
        let session = parts.pool.session().await?;
        batch.read(session.transact(&batch.calls(&values, &parents, TOGETHER)).await?, TOGETHER)?
    };
    let mut answered = Answered {
        answers: in_order(records, &written.attempts),
        news: Changes::default(),
        may_be_awaited: written.may_be_awaited,
    };
    answered.add(&written.claimable);
    Ok(answered)
}

async fn write_begun(parts: &Parts, batch: &Batch<'_>) -> Result<(Transaction, Written), Fault> {
    let values = batch.values();
    let parents = parents_of(&values.ids);
    let (transaction, answers) = parts.pool.begin_with(&batch.calls(&values, &parents, TOGETHER)).await?;
    Ok((transaction, batch.read(answers, TOGETHER)?))
}

/// The children of jobs that ended without completing.
async fn give_up(transaction: &Transaction, written: &Written) -> Result<(), Fault> {
    give_up_children(transaction, written.given_up.clone()).await
}

/// Each outcome in a savepoint of one transaction. The log of an attempt is given up before its outcome is.
async fn write_apart(parts: &Parts, worker_id: &WorkerId, records: &[Record]) -> Result<Answered, Fault> {
    let transaction = parts.pool.begin().await?;
    let mut answered = Answered::default();
    for record in records {
        let with_log = if record.log.is_empty() { WithLog::No } else { WithLog::Yes };
        let mut written = write_one(parts, &transaction, worker_id, record, with_log).await?;
        if let (Err(fault), WithLog::Yes) = (&written, with_log) {
            tracing::warn!(job_id = record.id.0, reason = %fault.reason(), "the log of an attempt was refused");
            written = write_one(parts, &transaction, worker_id, record, WithLog::No).await?;
        }
        let answer = match written {
            Ok((written, _)) if written.attempts.is_empty() => Recorded::Fenced,
            Ok((written, news)) => {
                answered.add(&written.claimable);
                answered.may_be_awaited |= written.may_be_awaited;
                answered.news.merge(news);
                Recorded::Recorded
            }
            Err(fault) => Recorded::Refused { reason: fault.reason() },
        };
        answered.answers.push(answer);
    }
    transaction.commit().await?;
    Ok(answered)
}

/// The inner error is a refusal, which left nothing behind.
async fn write_one(
    parts: &Parts,
    transaction: &Transaction,
    worker_id: &WorkerId,
    record: &Record,
    with_log: WithLog,
) -> Result<Result<(Written, Changes), Fault>, Fault> {
    let attempt = async {
        let batch = Batch::new(worker_id, [record], with_log, &parts.claims.held);
        let values = batch.values();
        let parents = parents_of(&values.ids);
        let calls = batch.calls(&values, &parents, Children::Apart);
        slow_down(transaction, worker_id, [record]).await?;
        let written = batch.read(transaction.pipeline(&calls).await?, Children::Apart)?;
        give_up(transaction, &written).await?;
        let news = tell_children_of_completed(transaction, record, &written).await?;
        Ok((written, news))
    };
    apart(transaction, attempt).await
}

/// A child that the database refuses to move is not the fault of its parent.
async fn tell_children_of_completed(
    transaction: &Transaction,
    record: &Record,
    written: &Written,
) -> Result<Changes, Fault> {
    if !matches!(record.outcome, Outcome::Completed { .. }) || written.attempts.is_empty() {
        return Ok(Changes::default());
    }
    let now = now(transaction).await?;
    let mut counts = Counts::default();
    tell_children(transaction, [(record.id, ParentEnd::Ended(Status::Completed))], now, &mut counts).await?;
    let news = std::mem::take(&mut counts.news);
    counts.flush(transaction).await?;
    Ok(news)
}

fn parents_of<'a>(ids: &'a Vec<i64>) -> [Parameter<'a>; 1] {
    [(ids, Type::INT8_ARRAY)]
}

/// Of two records of one attempt only the first can have been written.
fn in_order(records: &[Record], written: &[(JobId, ClaimNumber)]) -> Vec<Recorded> {
    if written.len() == records.len() {
        return vec![Recorded::Recorded; records.len()];
    }
    let mut left: HashSet<_> = written.iter().copied().collect();
    let mut answer = |record: &Record| match left.remove(&(record.id, record.claim_number)) {
        true => Recorded::Recorded,
        false => Recorded::Fenced,
    };
    records.iter().map(&mut answer).collect()
}
