use longshore_core::{Arrival, LimitRow, LimitRule, LimitScope, LimitSource, Pace, Timestamp};
use tokio_postgres::{Error, Row};

use super::rules::{QUEUE, read_rule};
use crate::session::columns::Columns;

/// A limit of a queue or a type as its row has it.
#[derive(Debug)]
pub(super) struct StoredLimit {
    pub(super) row: LimitRow,
    pub(super) rule: LimitRule,
}

/// Reads the columns of `select_limits`.
pub(super) fn limit_row(row: &Row, now: Timestamp) -> Result<StoredLimit, Error> {
    let columns = &mut Columns::of(row);
    let (scope, name): (i16, String) = (columns.read()?, columns.read()?);
    let (configured, manual): (Option<String>, Option<String>) = (columns.read()?, columns.read()?);
    let source = match (&manual, &configured) {
        (Some(_), _) => Some(LimitSource::Manual),
        (None, Some(_)) => Some(LimitSource::Config),
        (None, None) => None,
    };
    let rule = manual.or(configured).map_or_else(LimitRule::default, |text| read_rule(&name, &text));
    let (arrival, closed_until) = (Arrival(columns.read()?), columns.optional_instant()?);
    let row = LimitRow {
        scope: if scope == QUEUE { LimitScope::Queue } else { LimitScope::Type },
        name,
        key: None,
        concurrency: rule.concurrency,
        running: columns.size()?,
        waiting: columns.size()?,
        rate: rule.rate,
        burst: rule.rate.map(|_| rule.burst.unwrap_or(1)),
        opens_at: opens_at(rule.pace(), arrival, closed_until, now),
        weight: None,
        key_pointer: rule.key.clone(),
        key_concurrency: rule.key_concurrency,
        key_rate: rule.key_rate,
        source,
    };
    Ok(StoredLimit { row, rule })
}

/// Reads the columns of `select_key`, and those of `select_keys` behind the type.
pub(super) fn key_row(columns: &mut Columns<'_>, of: &StoredLimit, now: Timestamp) -> Result<LimitRow, Error> {
    let key: String = columns.read()?;
    let (arrival, closed_until) = (Arrival(columns.read()?), columns.optional_instant()?);
    let rule = &of.rule;
    Ok(LimitRow {
        scope: LimitScope::Key,
        name: of.row.name.clone(),
        concurrency: rule.key_concurrency,
        running: columns.size()?,
        waiting: columns.size()?,
        rate: rule.key_rate,
        burst: None,
        opens_at: opens_at(rule.key_pace(), arrival, closed_until, now),
        weight: Some(rule.weight(Some(&key))),
        key: Some(key),
        key_pointer: None,
        key_concurrency: None,
        key_rate: None,
        source: of.row.source,
    })
}

fn opens_at(
    pace: Option<Pace>,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    pace.and_then(|pace| pace.opens_at(arrival, now)).max(closed_until.filter(|at| *at > now))
}
