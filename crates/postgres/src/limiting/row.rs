use longshore_core::{Arrival, LimitRow, LimitRule, LimitSource, LimitSubject, Pace, Timestamp};
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
    let subject = if scope == QUEUE { LimitSubject::Queue(name) } else { LimitSubject::Type(name) };
    let row = LimitRow {
        running: columns.size()?,
        waiting: columns.size()?,
        opens_at: opens_at(rule.pace(), arrival, closed_until, now),
        ..LimitRow::of_rule(&subject, &rule, source)
    };
    Ok(StoredLimit { row, rule })
}

/// Reads the columns of `select_key`, and those of `select_keys` behind the type.
pub(super) fn key_row(columns: &mut Columns<'_>, of: &StoredLimit, now: Timestamp) -> Result<LimitRow, Error> {
    let key: String = columns.read()?;
    let (arrival, closed_until) = (Arrival(columns.read()?), columns.optional_instant()?);
    let rule = &of.rule;
    Ok(LimitRow {
        running: columns.size()?,
        waiting: columns.size()?,
        opens_at: opens_at(rule.key_pace(), arrival, closed_until, now),
        ..LimitRow::of_key(&of.row.name, &key, rule, of.row.source)
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
