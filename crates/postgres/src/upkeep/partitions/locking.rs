use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::session::fault::Fault;
use crate::session::sql::in_schema;
use crate::session::statements::Session;
use crate::upkeep::partitions::layout::{Leaf, TABLES};

/// How long a statement that wants a lock may keep others waiting behind it: for one table, and for all of them.
const LOCK_TIMEOUT: &str = "50ms";
const LOCKS_TIMEOUT: &str = "150ms";
/// How often the locks are tried, and the pause between two tries.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// Locks the tables against everything, for the moment in which partitions are exchanged. Returns whether that was
/// possible: an open transaction that has used jobs, such as a dump, keeps its locks until it ends, and nobody may wait
/// behind this for long. What the transaction has done before stays in either case.
pub(crate) async fn lock_tables(session: &Session) -> Result<bool, Fault> {
    let tables = TABLES.map(|table| format!("ONLY longshore.{table}")).join(", ");
    let lock = format!(
        "SAVEPOINT locks; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL statement_timeout = '{LOCKS_TIMEOUT}'; \
         LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"
    );
    let lock = in_schema(&lock, session.schema());
    for attempt in 1..=TRIES {
        match session.client.batch_execute(&lock).await.map_err(Fault::from) {
            // The timeout of the locks stays: those of partitions are free now, or this is given up.
            Ok(()) => {
                session.client.batch_execute("SET LOCAL statement_timeout = '5s'").await?;
                return Ok(true);
            }
            Err(fault) if is_busy(&fault) => {
                session.client.batch_execute("ROLLBACK TO SAVEPOINT locks").await?;
            }
            Err(fault) => return Err(fault),
        }
        if attempt < TRIES {
            tokio::time::sleep(PAUSE.mul_f32(0.5 + fastrand::f32())).await;
        }
    }
    Ok(false)
}

/// Keeps everybody from changing the rows of old partitions; reading goes on. Returns whether that was possible.
pub(crate) async fn lock_rows<'a>(
    session: &Session,
    leaves: impl Iterator<Item = &'a Leaf> + Clone,
) -> Result<bool, Fault> {
    let names = TABLES.iter().flat_map(|table| leaves.clone().map(|leaf| format!("longshore.{}", leaf.name(table))));
    let names = names.collect::<Vec<_>>().join(", ");
    let lock = format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; LOCK TABLE {names} IN SHARE MODE");
    match session.client.batch_execute(&in_schema(&lock, session.schema())).await.map_err(Fault::from) {
        Ok(()) => Ok(true),
        Err(fault) if is_busy(&fault) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Whether others were in the way, or a statement took longer than it may.
pub(crate) fn is_busy(fault: &Fault) -> bool {
    fault.is_conflict()
        || fault.code().is_some_and(|code| *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED)
}
