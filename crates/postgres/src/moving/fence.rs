//! The state of a move, and the fence that it puts up.
//!
//! The table, the function and its triggers exist only while they say something, so the fence costs nothing until there
//! is one. It is put up under locks for which every transaction that has written must have ended, and a later one meets
//! the triggers: so what was written before is there to be moved, and nothing is written behind it.

use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Fence, MoveChange, MoveState, StoreError};
use postgres_types::Type;
use tokio_postgres::error::SqlState;

use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::Session;
use crate::store::Parts;

/// The codes of the errors that the fence raises: the move goes on, or has ended in the other database.
pub(crate) const IS_MOVING: &str = "LS001";
pub(crate) const HAS_MOVED: &str = "LS002";

/// How long one try waits for the locks. Others wait behind it, so it is less than anybody notices.
const LOCK_TIMEOUT: &str = "400ms";
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(300);

/// What nobody else may write, in the order in which it is locked. The counts follow from the jobs, and who lives is of
/// no interest to the other database.
const TABLES: [&str; 26] = [
    "job",
    "ready",
    "laned",
    "later",
    "blocked",
    "blocked_unchecked",
    "running",
    "ended",
    "story",
    "checkpoint",
    "unique_key",
    "time_limit",
    "attempt",
    "log_chunk",
    "queue_pause",
    "type_settings",
    "schedule",
    "tick",
    "job_limit",
    "limit_key",
    "batch",
    "member",
    "dependency",
    "signal",
    "unsettled",
    "token",
];

/// The state. An error if another program wrote something else into the table.
pub(crate) async fn state(session: &Session) -> Result<Option<MoveState>, Fault> {
    let row = session.query_opt(sql!("moving/has_move"), &[]).await?;
    let has_move: bool = row.expect("a SELECT without FROM gives one row").try_get(0)?;
    if !has_move {
        return Ok(None);
    }
    let select = in_schema("SELECT document FROM longshore.longshore_move", session.schema());
    let rows = session.client.query_typed(&select, &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let unreadable = |error: serde_json::Error| StoreError::Backend {
        database: session.schema().into(),
        doing: "reading the state of a move",
        source: Box::new(error),
    };
    Ok(Some(MoveState::from_document(row.try_get(0)?).map_err(unreadable)?))
}

/// An error while a fence refuses what people change by hand and what keeps house.
pub(crate) async fn check(parts: &Parts) -> Result<(), Fault> {
    let session = parts.pool.session().await?;
    match state(&session).await?.and_then(|state| state.refusal()) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// Replaces the state and the fence, if the state is the expected one. Returns whether it was.
pub(crate) async fn change_state(parts: Arc<Parts>, change: MoveChange) -> Result<bool, Fault> {
    for _ in 1..LOCK_TRIES {
        match try_to_change(&parts, &change).await {
            Err(fault) if fault.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) || fault.is_conflict() => {
                // Meanwhile those that waited behind this one go on.
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            changed => return changed,
        }
    }
    try_to_change(&parts, &change).await
}

async fn try_to_change(parts: &Parts, change: &MoveChange) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    transaction.execute(sql!("session/set_lock_timeout"), &[(&LOCK_TIMEOUT, Type::TEXT)]).await?;
    if !replace_state(&transaction, change).await? {
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

/// The same in the caller's transaction, in which from now on the fence lets everything through.
pub(crate) async fn replace_state(transaction: &Transaction, change: &MoveChange) -> Result<bool, Fault> {
    let MoveChange { expected, next } = change;
    hold_turn(transaction).await?;
    if state(transaction).await? != *expected {
        return Ok(false);
    }
    let phase = |state: &Option<MoveState>| state.as_ref().map(|state| state.phase);
    let fence = |state: &Option<MoveState>| state.as_ref().map_or(Fence::Open, |state| state.phase.fence());
    if phase(expected) != phase(next) {
        match (fence(expected), fence(next), next) {
            (_, Fence::Open, _) | (_, _, None) => run(transaction, TAKE_DOWN).await?,
            (Fence::Open, _, Some(next)) => put_up(transaction, next).await?,
            (_, _, Some(next)) => change_fence(transaction, next).await?,
        }
    }
    match next {
        Some(next) => write_document(transaction, next).await?,
        None => run(transaction, "DROP TABLE IF EXISTS longshore.longshore_move").await?,
    }
    pass_fence(transaction, next.as_ref()).await?;
    Ok(true)
}

/// Of two movers, one waits until the transaction of the other has ended.
pub(crate) async fn hold_turn(transaction: &Transaction) -> Result<(), Fault> {
    transaction.execute(sql!("moving/hold_turn"), &[]).await?;
    Ok(())
}

/// Lets the rest of the transaction through the fence of this move.
pub(crate) async fn pass_fence(transaction: &Transaction, state: Option<&MoveState>) -> Result<(), Fault> {
    if let Some(state) = state {
        transaction.execute(sql!("moving/pass_fence"), &[(&state.move_id.as_str(), Type::TEXT)]).await?;
    }
    Ok(())
}

async fn write_document(transaction: &Transaction, state: &MoveState) -> Result<(), Fault> {
    // Only where it is missing: where it is there, this would be a notice.
    let row = transaction.query_opt(sql!("moving/has_move"), &[]).await?;
    if !row.expect("a SELECT without FROM gives one row").try_get::<_, bool>(0)? {
        run(transaction, "CREATE TABLE longshore.longshore_move (document text NOT NULL)").await?;
    }
    run(transaction, "DELETE FROM longshore.longshore_move").await?;
    let insert = in_schema("INSERT INTO longshore.longshore_move (document) VALUES ($1)", transaction.schema());
    let document = state.to_document();
    transaction.client.execute_typed(&insert, &[(&document, Type::TEXT)]).await?;
    Ok(())
}

async fn run(transaction: &Transaction, text: &str) -> Result<(), Fault> {
    transaction.client.batch_execute(&in_schema(text, transaction.schema())).await?;
    Ok(())
}

/// With the function its triggers go.
const TAKE_DOWN: &str = "DROP FUNCTION IF EXISTS longshore.longshore_move_refuses() CASCADE";

async fn put_up(transaction: &Transaction, state: &MoveState) -> Result<(), Fault> {
    run(transaction, &function(state)).await?;
    for table in TABLES {
        run(transaction, &trigger(table, "INSERT OR UPDATE OR DELETE OR TRUNCATE")).await?;
    }
    // Nobody may begin to work here; heartbeats go on.
    run(transaction, &trigger("worker", "INSERT")).await
}

fn trigger(table: &str, events: &str) -> String {
    format!(
        "CREATE TRIGGER longshore_move_refuses BEFORE {events} ON longshore.{table}
             FOR EACH STATEMENT EXECUTE FUNCTION longshore.longshore_move_refuses()"
    )
}

/// The triggers are there already: another function is enough, behind locks for which every transaction that was let
/// through by the last one must have ended.
async fn change_fence(transaction: &Transaction, state: &MoveState) -> Result<(), Fault> {
    let tables = TABLES.map(|table| format!("longshore.{table}")).join(", ");
    run(transaction, &format!("LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")).await?;
    run(transaction, &function(state)).await
}

/// While attempts end, nothing begins: no job, no attempt, no worker, no setting.
fn function(state: &MoveState) -> String {
    let passes = match state.phase.fence() {
        Fence::Draining => {
            "TG_TABLE_NAME NOT IN ('queue_pause', 'type_settings', 'schedule', 'tick', 'signal', 'token', 'worker')
                AND NOT (TG_TABLE_NAME IN ('job', 'running', 'batch') AND TG_OP = 'INSERT')
                AND NOT (TG_TABLE_NAME IN ('job', 'ended') AND TG_OP IN ('DELETE', 'TRUNCATE'))"
        }
        Fence::Open | Fence::Closed => "false",
    };
    let is_final = matches!(state.refusal(), Some(StoreError::Moving { is_final: true, .. }));
    let (code, message) = (if is_final { HAS_MOVED } else { IS_MOVING }, literal(&state.to_string()));
    let move_id = literal(&state.move_id);
    format!(
        "CREATE OR REPLACE FUNCTION longshore.longshore_move_refuses() RETURNS trigger
             LANGUAGE plpgsql
             AS $fence$
         BEGIN
             IF current_setting('longshore.move_id', true) = {move_id} OR {passes} THEN
                 RETURN NULL;
             END IF;
             RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = {message};
         END
         $fence$"
    )
}

/// The document and the names in it come from a command line. A dollar could end the body of the function.
fn literal(text: &str) -> String {
    let plain = text.replace('\'', "''").replace('\\', "\\\\").replace('$', "\\x24").replace('\0', "");
    format!("E'{plain}'")
}
