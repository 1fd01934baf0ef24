//! The limits that leave this database with the queue, or arrive with it.

use longshore_core::{Arrival, LimitRule, LimitSubject, MovedLimit, MovedLimitKey, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::limits::change::{QUEUE, Rules, document, finish, words, write};
use crate::writing::session::WriteTx;

/// The rules of every subject that has one, and the types that are closed, by subject.
pub(crate) fn all_limits(connection: &Connection) -> rusqlite::Result<Vec<MovedLimit>> {
    let mut limits: Vec<MovedLimit> = connection
        .prepare_cached(include_str!("../sql/moving/select_moved_limits.sql"))?
        .query_map([], |row| {
            let name = column::text(row, 1)?;
            let is_queue = column::text(row, 0)? == QUEUE;
            let rule = |document: Option<String>| document.map(|document| LimitRule::from_document(&document));
            Ok(MovedLimit {
                subject: if is_queue { LimitSubject::Queue(name) } else { LimitSubject::Type(name) },
                configured: rule(column::optional_text(row, 2)?),
                manual: rule(column::optional_text(row, 3)?),
                arrival: Arrival(column::integer(row, 4)?),
                closed_until: column::optional_timestamp(row, 5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    limits.sort_by(|one, other| one.subject.cmp(&other.subject));
    Ok(limits)
}

/// What the rates of keys have spent.
pub(crate) fn all_keys(connection: &Connection) -> rusqlite::Result<Vec<MovedLimitKey>> {
    let keys: Vec<MovedLimitKey> = connection
        .prepare_cached(include_str!("../sql/moving/select_moved_limit_keys.sql"))?
        .query_map([], |row| {
            Ok(MovedLimitKey {
                job_type: column::text(row, 0)?,
                key: column::text(row, 1)?,
                arrival: Arrival(column::integer(row, 2)?),
                closed_until: column::optional_timestamp(row, 3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(MovedLimitKey::normal(keys))
}

/// What arrives takes the place of what an earlier move left behind here.
pub(crate) fn replace_all(
    tx: &mut WriteTx<'_, '_>,
    limits: &[MovedLimit],
    keys: &[MovedLimitKey],
) -> Result<(), Fault> {
    let there = all_limits(tx.connection)?;
    if there.is_empty() && limits.is_empty() {
        return Ok(());
    }
    for MovedLimit { subject, .. } in &there {
        write(tx, subject, &Rules::default())?;
    }
    tx.connection.execute(include_str!("../sql/moving/forget_limit_states.sql"), [])?;
    tx.connection.execute(include_str!("../sql/moving/forget_key_states.sql"), [])?;
    for limit in limits {
        keep(tx, limit)?;
    }
    for key in keys {
        keep_key(tx, key)?;
    }
    finish(tx)
}

fn keep(tx: &mut WriteTx<'_, '_>, limit: &MovedLimit) -> Result<(), Fault> {
    let MovedLimit { subject, configured, manual, arrival, closed_until } = limit;
    let rules =
        Rules { configured: configured.as_ref().and_then(document), manual: manual.as_ref().and_then(document) };
    write(tx, subject, &rules)?;
    let (scope, name) = words(subject);
    let sql = include_str!("../sql/moving/save_limit_state.sql");
    let state = params![scope, name, arrival.0, closed_until.map(Timestamp::as_ms)];
    tx.connection.prepare_cached(sql)?.execute(state)?;
    Ok(())
}

/// The state of a key is in its lanes. A lane that a job makes later finds it in the one that is made here.
fn keep_key(tx: &mut WriteTx<'_, '_>, of_key: &MovedLimitKey) -> Result<(), Fault> {
    let MovedLimitKey { job_type, key, arrival, closed_until } = of_key;
    let closed_until = closed_until.map(Timestamp::as_ms);
    let save = include_str!("../sql/moving/save_key_state.sql");
    let saved = tx.connection.prepare_cached(save)?.execute(params![job_type, key, arrival.0, closed_until])?;
    if saved > 0 {
        return Ok(());
    }
    let insert = include_str!("../sql/moving/insert_moved_lane.sql");
    let lane = params![job_type, key, arrival.0, closed_until, tx.now.as_ms()];
    if tx.connection.prepare_cached(insert)?.execute(lane)? > 0 {
        tx.connection.prepare_cached(include_str!("../sql/moving/raise_last_lane.sql"))?.execute([job_type])?;
    }
    Ok(())
}
