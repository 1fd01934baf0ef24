use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{
    BatchId, BatchRecord, BatchRole, DependencyState, JobId, MovedDependency, MovedJob, MovedMember, MovedSignal,
    MovedTarget, Needs, Otherwise,
};
use postgres_types::Type;
use serde_json::{Value, json};
use tokio_postgres::Error;

use super::arrive::insert;
use crate::jobs::outcomes::ended_attempts::{ended_code, status_of};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::workflows::batches::record;
use crate::workflows::hint::{Hint, put};

/// The places of these jobs in their workflows.
pub(super) async fn members(session: &Session, ids: &[i64]) -> Result<BTreeMap<JobId, MovedMember>, Error> {
    let mut members = BTreeMap::new();
    for row in session.query(sql!("moving/select_moved_members"), &[(&ids, Type::INT8_ARRAY)]).await? {
        let columns = &mut Columns::of(&row);
        let id = columns.id()?;
        let member = MovedMember {
            batch: columns.read::<Option<i64>>()?.map(BatchId),
            reference: columns.read()?,
            // A CHECK of the table allows no other word.
            role: BatchRole::from_stored(columns.read()?).unwrap_or(BatchRole::Member),
            counted: columns.read::<Option<i16>>()?.map(status_of),
        };
        members.insert(id, member);
    }
    Ok(members)
}

/// A dependency from the columns of `moving/select_moved_dependencies.sql` behind the id, in their order.
pub(super) fn dependency_from(columns: &mut Columns<'_>) -> Result<MovedDependency, Error> {
    let (kind, target, signal): (&str, i64, Option<String>) = (columns.read()?, columns.read()?, columns.read()?);
    let target = match (kind, signal) {
        ("job", _) => MovedTarget::Job(JobId(target)),
        ("signal", Some(name)) => MovedTarget::Signal { batch: BatchId(target), name },
        _ => MovedTarget::Batch(BatchId(target)),
    };
    Ok(MovedDependency {
        target,
        reference: columns.read()?,
        // A CHECK of the table allows no other word.
        needs: Needs::from_stored(columns.read()?).unwrap_or_default(),
        otherwise: Otherwise::from_stored(columns.read()?).unwrap_or(Otherwise::DeadLetter),
        state: DependencyState::from_stored(columns.read()?).unwrap_or(DependencyState::Waiting),
        timeout: columns.read::<Option<i64>>()?.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        timeout_at: columns.optional_instant()?,
    })
}

/// All batches, and the signals to them.
pub(super) async fn batches(session: &Session) -> Result<(Vec<BatchRecord>, Vec<MovedSignal>), Error> {
    let rows = session.query(sql!("moving/select_all_batches"), &[]).await?;
    let batches = rows.iter().map(record).collect::<Result<_, _>>()?;
    let mut signals = Vec::new();
    for row in session.query(sql!("moving/select_all_signals"), &[]).await? {
        let columns = &mut Columns::of(&row);
        signals.push(MovedSignal { batch: BatchId(columns.read()?), name: columns.read()?, data: columns.data()? });
    }
    Ok((batches, signals))
}

/// How many rows one statement writes.
const STATEMENT_ROWS_MAX: usize = 1000;

/// Writes all batches and the signals to them.
pub(super) async fn keep_batches(
    transaction: &Transaction,
    batches: &[BatchRecord],
    signals: &[MovedSignal],
) -> Result<(), Fault> {
    for part in batches.chunks(STATEMENT_ROWS_MAX) {
        insert(transaction, sql!("moving/insert_moved_batches"), part.iter()).await?;
    }
    for part in signals.chunks(STATEMENT_ROWS_MAX) {
        let rows = part.iter().map(|MovedSignal { batch, name, data }| {
            json!({"batch_id": batch, "name": name, "data": data.as_ref().map(longshore_core::JobData::as_str)})
        });
        insert(transaction, sql!("moving/insert_moved_signals"), rows).await?;
    }
    Ok(())
}

/// Writes what these jobs are to their workflows. The end of those that they wait for is heard of, and what was not settled
/// in the other database is looked at here.
pub(super) async fn keep_places(transaction: &Transaction, jobs: &[MovedJob]) -> Result<(), Fault> {
    let of_members = jobs.iter().filter_map(|moved| Some((moved.job.id, moved.member.as_ref()?)));
    let rows = of_members.map(|(id, member)| {
        let MovedMember { batch, role, reference, counted } = member;
        json!({
            "id": id, "batch_id": batch, "reference": reference, "role": role.as_str(),
            "counted": counted.map(ended_code),
        })
    });
    insert(transaction, sql!("moving/insert_moved_members"), rows).await?;
    insert(transaction, sql!("moving/insert_moved_dependencies"), jobs.iter().flat_map(dependencies)).await?;
    let awaited = jobs.iter().flat_map(|moved| &moved.dependencies).filter_map(|dependency| match dependency.target {
        MovedTarget::Job(id) => Some(id.0),
        MovedTarget::Batch(_) | MovedTarget::Signal { .. } => None,
    });
    let awaited: Vec<i64> = awaited.collect();
    if !awaited.is_empty() {
        transaction.query(sql!("workflows/watch_jobs"), &[(&awaited, Type::INT8_ARRAY)]).await?;
    }
    let members = jobs.iter().filter(|moved| moved.member.is_some()).map(|moved| Hint::job(moved.job.id.0));
    let waiting = jobs.iter().filter(|moved| !moved.dependencies.is_empty()).map(|moved| Hint::waits(moved.job.id.0));
    put(transaction, &members.chain(waiting).collect::<Vec<_>>()).await
}

fn dependencies(moved: &MovedJob) -> impl Iterator<Item = Value> {
    let id = moved.job.id;
    moved.dependencies.iter().enumerate().map(move |(position, dependency)| {
        let MovedDependency { target, reference, needs, otherwise, state, timeout, timeout_at } = dependency;
        let (kind, target_id, signal) = match target {
            MovedTarget::Job(id) => ("job", id.0, None),
            MovedTarget::Batch(id) => ("batch", id.0, None),
            MovedTarget::Signal { batch, name } => ("signal", batch.0, Some(name)),
        };
        json!({
            "id": id, "position": position, "kind": kind, "target_id": target_id, "signal": signal,
            "reference": reference, "needs": needs.as_str(), "otherwise": otherwise.as_str(), "state": state.as_str(),
            "timeout_ms": timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            "timeout_at": timeout_at,
        })
    })
}

/// How many dependencies of a blocked job are open; none if it waits for its parent alone.
pub(super) fn unmet(moved: &MovedJob) -> Option<usize> {
    let open = moved.dependencies.iter().filter(|dependency| !dependency.state.is_over()).count();
    (!moved.dependencies.is_empty()).then_some(open)
}
