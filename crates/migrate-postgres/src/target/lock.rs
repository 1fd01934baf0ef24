//! The lock that lets one runner in at a time.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use longshore_migrate::{
    OutsideCause,
    target::{RunnerLock, TargetError},
};

use tokio_postgres::SimpleQueryMessage;

use crate::{
    failure::Failures,
    options::PostgresTargetOptions,
    wire::{Fault, Query, Wire},
};

/// How often a waiting runner looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// "longshor" in ASCII: one lock for a database, whatever the sources.
const KEY: i64 = 0x6c6f_6e67_7368_6f72;

/// An advisory lock of a transaction that stays open on a connection of its own. It goes with that connection, so a
/// runner that dies leaves none. A lock of the session would not do behind a pooler, which may give the next statement
/// another session; a transaction keeps its session. It has no snapshot and no row, so it holds nothing back.
struct AdvisoryLock {
    _wire: Arc<Wire>,
}

impl RunnerLock for AdvisoryLock {}

pub(super) fn take(
    options: &PostgresTargetOptions,
    failures: &Failures,
    wait: Duration,
) -> Result<(Box<dyn RunnerLock>, Weak<Wire>), TargetError> {
    let doing = "taking the migration lock";
    let wire = Wire::open(options).map_err(|fault| failures.told(doing, fault))?;
    let until = Instant::now() + wait;
    // Not by waiting in a statement: that has a snapshot, for whose end the other runner's concurrent build would wait.
    while !try_it(&wire).map_err(|fault| failures.told(doing, fault))? {
        if Instant::now() >= until {
            let lock = PathBuf::from(format!("the migration lock of {}{}", failures.database, holder(&wire)));
            return Err(OutsideCause::RunnerBusy { lock }.into());
        }
        thread::sleep(LOOK_AGAIN);
    }
    let wire = Arc::new(wire);
    let watched = Arc::downgrade(&wire);
    Ok((Box::new(AdvisoryLock { _wire: wire }), watched))
}

/// Leaves the transaction open if it has the lock.
fn try_it(wire: &Wire) -> Result<bool, Fault> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0";
    wire.batch(begin)?;
    // With values bound, the statement would keep its snapshot until the transaction ends, and a concurrent build would
    // wait for that.
    let answers = wire.simple(format!("SELECT pg_catalog.pg_try_advisory_xact_lock({KEY})"))?;
    let has = answers.iter().any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")));
    if !has {
        wire.batch("ROLLBACK")?;
    }
    Ok(has)
}

/// Who holds it, as far as this role may see that.
fn holder(wire: &Wire) -> String {
    let query = format!(
        "SELECT format(' (process %s of %s%s)', a.pid, a.usename, ' at ' || host(a.client_addr))
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
             AND (l.classid::bigint << 32) | l.objid::bigint = {KEY}
         LIMIT 1"
    );
    let rows = wire.query(Query::new(query, Vec::new())).unwrap_or_default();
    rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default()
}
