use longshore_core::{Arrival, LimitRule, LimitSubject, MovedLimit, MovedLimitKey};
use postgres_types::Type;
use tokio_postgres::Error;

use super::rules::{QUEUE, TYPE};
use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// The rules that move, and the types that are closed, by subject.
pub(crate) async fn moved_limits(session: &Session) -> Result<Vec<MovedLimit>, Error> {
    let mut limits = Vec::new();
    for row in session.query(sql!("limiting/select_moved_limits"), &[]).await? {
        let columns = &mut Columns::of(&row);
        let (scope, name): (i16, String) = (columns.read()?, columns.read()?);
        let subject = if scope == QUEUE { LimitSubject::Queue(name) } else { LimitSubject::Type(name) };
        let (configured, manual): (Option<String>, Option<String>) = (columns.read()?, columns.read()?);
        let rule = |document: Option<String>| document.as_deref().map(LimitRule::from_document);
        limits.push(MovedLimit {
            subject,
            configured: rule(configured),
            manual: rule(manual),
            arrival: Arrival(columns.read()?),
            closed_until: columns.optional_instant()?,
        });
    }
    Ok(limits)
}

/// What the rates of keys have spent.
pub(crate) async fn moved_keys(session: &Session) -> Result<Vec<MovedLimitKey>, Error> {
    let mut keys = Vec::new();
    for row in session.query(sql!("limiting/select_moved_keys"), &[]).await? {
        let columns = &mut Columns::of(&row);
        keys.push(MovedLimitKey {
            job_type: columns.read()?,
            key: columns.read()?,
            arrival: Arrival(columns.read()?),
            closed_until: columns.optional_instant()?,
        });
    }
    Ok(MovedLimitKey::normal(keys))
}

/// Keeps rules that have arrived, in place of those that were here. Nothing runs here then, and nothing waits in lanes.
pub(crate) async fn keep_limits(session: &Session, limits: &[MovedLimit]) -> Result<(), Error> {
    let scope = |limit: &MovedLimit| if matches!(limit.subject, LimitSubject::Queue(_)) { QUEUE } else { TYPE };
    let document = |rule: &Option<LimitRule>| rule.as_ref().map(LimitRule::to_document);
    let scopes: Vec<i16> = limits.iter().map(scope).collect();
    let names: Vec<&str> = limits.iter().map(|limit| limit.subject.name()).collect();
    let configured: Vec<Option<String>> = limits.iter().map(|limit| document(&limit.configured)).collect();
    let manual: Vec<Option<String>> = limits.iter().map(|limit| document(&limit.manual)).collect();
    let arrivals: Vec<i64> = limits.iter().map(|limit| limit.arrival.0).collect();
    let closed: Vec<Option<Instant>> = limits.iter().map(|limit| limit.closed_until.map(Instant)).collect();
    let parameters: [Parameter<'_>; 6] = [
        (&scopes, Type::INT2_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&configured, Type::TEXT_ARRAY),
        (&manual, Type::TEXT_ARRAY),
        (&arrivals, Type::INT8_ARRAY),
        (&closed, Type::TIMESTAMPTZ_ARRAY),
    ];
    session.execute(sql!("limiting/raise_version"), &[]).await?;
    session.execute(sql!("limiting/insert_moved_limits"), &parameters).await?;
    Ok(())
}

/// Keeps what the rates of keys have spent. What those that are here have spent was forgotten before.
pub(crate) async fn keep_keys(session: &Session, keys: &[MovedLimitKey]) -> Result<(), Error> {
    let types: Vec<&str> = keys.iter().map(|of_key| of_key.job_type.as_str()).collect();
    let names: Vec<&str> = keys.iter().map(|of_key| of_key.key.as_str()).collect();
    let arrivals: Vec<i64> = keys.iter().map(|of_key| of_key.arrival.0).collect();
    let closed: Vec<Option<Instant>> = keys.iter().map(|of_key| of_key.closed_until.map(Instant)).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&types, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&arrivals, Type::INT8_ARRAY),
        (&closed, Type::TIMESTAMPTZ_ARRAY),
    ];
    session.execute(sql!("limiting/insert_moved_keys"), &parameters).await?;
    Ok(())
}
