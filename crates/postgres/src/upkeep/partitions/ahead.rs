use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::in_schema;
use crate::session::statements::Session;
use crate::store::Parts;
use crate::upkeep::duties::Term;
use crate::upkeep::partitions::layout::{Ahead, Layout, Leaf, TABLES};
use crate::upkeep::partitions::locking::{is_busy, lock_tables};
use crate::upkeep::partitions::obstacle::Obstacle;

/// The least number of ids in a partition. Below that, deleting rows costs nobody anything.
pub(crate) const STEP_MIN: i64 = 1_000_000;
/// How many partitions the jobs of one retention fill.
const PARTS: i64 = 6;
/// How many rows a partition that gets other bounds may have: the server reads all of them while the tables are locked.
const REREAD_MAX: i64 = 100_000;

/// After new partitions, the sequence may have to move.
const ROUNDS: u32 = 3;

/// Makes the partitions that are needed soon. An open transaction that has used jobs prevents it; then it is tried again
/// later, and meanwhile there is room in the last partitions.
pub(crate) async fn provide(parts: &Parts, term: &Term) -> Result<(), Fault> {
    for _ in 0..ROUNDS {
        let transaction = parts.pool.begin().await?;
        let Some(layout) = Layout::read(&transaction).await? else { return Ok(()) };
        let step = step(&transaction).await?;
        let Some(ahead) = layout.ahead(step) else { return Ok(()) };
        if let Some(obstacle) = Obstacle::find(&transaction).await? {
            tracing::debug!(%obstacle, "no partitions can be made");
            return Ok(());
        }
        if !term.is_current(&transaction).await? {
            return Ok(());
        }
        match take(&transaction, &ahead).await {
            Ok(true) => transaction.commit().await?,
            Ok(false) => return Ok(()),
            Err(fault) if is_busy(&fault) => return Ok(()),
            Err(fault) => return Err(fault),
        }
        tracing::info!("there is a partition for the next jobs");
    }
    Ok(())
}

/// Returns whether it was possible.
async fn take(session: &Session, ahead: &Ahead) -> Result<bool, Fault> {
    let Ahead::Jump { to } = ahead else {
        return Ok(lock_tables(session).await? && divide(session, ahead).await?);
    };
    // Not undone by a rollback, and nobody is hurt by it.
    let jump = "SELECT setval('longshore.job_id', $1, false) FROM longshore.job_id WHERE last_value < $1";
    session.client.query_typed(&in_schema(jump, session.schema()), &[(to, Type::INT8)]).await?;
    Ok(true)
}

/// How many ids a partition gets: more if more jobs end in a retention.
async fn step(session: &Session) -> Result<i64, Fault> {
    let completed = in_schema("SELECT COALESCE(sum(completed), 0)::bigint FROM longshore.depth", session.schema());
    let rows = session.client.query_typed(&completed, &[]).await?;
    let completed: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    // Round numbers are easier to read.
    Ok((completed / PARTS / STEP_MIN + 1) * STEP_MIN)
}

/// Divides a partition of each table. Returns whether that was possible. Everything is locked meanwhile.
async fn divide(session: &Session, ahead: &Ahead) -> Result<bool, Fault> {
    let Some((divided, parts)) = ahead.division() else { return Ok(true) };
    for table in TABLES {
        let name = format!("longshore.{}", divided.name(table));
        let look =
            format!("SELECT count(*), min(id), max(id) FROM (SELECT id FROM {name} LIMIT {}) AS few", REREAD_MAX + 1);
        let rows = session.client.query_typed(&in_schema(&look, session.schema()), &[]).await?;
        let (count, min, max): (i64, Option<i64>, Option<i64>) =
            (rows[0].try_get(0)?, rows[0].try_get(1)?, rows[0].try_get(2)?);
        // It becomes the one to which its rows belong.
        let fits = |leaf: &&Leaf| min.is_none_or(|min| min >= leaf.low) && max.is_none_or(|max| max < leaf.high);
        let Some(same) = parts.iter().rfind(fits).filter(|_| count <= REREAD_MAX) else { return Ok(false) };
        let mut ddl = format!("ALTER TABLE longshore.{table} DETACH PARTITION {name};");
        for leaf in parts.iter().filter(|leaf| *leaf != same) {
            ddl += &format!(
                "CREATE TABLE longshore.{} PARTITION OF longshore.{table} {};",
                leaf.name(table),
                leaf.values()
            );
        }
        let new = same.name(table);
        if *same != *divided {
            ddl += &format!("ALTER TABLE {name} RENAME TO {new};");
        }
        ddl += &format!("ALTER TABLE longshore.{table} ATTACH PARTITION longshore.{new} {}", same.values());
        session.client.batch_execute(&in_schema(&ddl, session.schema())).await?;
    }
    Ok(true)
}
