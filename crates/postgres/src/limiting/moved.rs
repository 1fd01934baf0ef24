use longshore_core::{LimitRule, LimitSubject, MovedLimit};
use postgres_types::Type;
use tokio_postgres::Error;

use super::rules::{QUEUE, TYPE};
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// The rules that move, by subject.
pub(crate) async fn moved_limits(session: &Session) -> Result<Vec<MovedLimit>, Error> {
    let mut limits = Vec::new();
    for row in session.query(sql!("limiting/select_moved_limits"), &[]).await? {
        let columns = &mut Columns::of(&row);
        let (scope, name): (i16, String) = (columns.read()?, columns.read()?);
        let subject = if scope == QUEUE { LimitSubject::Queue(name) } else { LimitSubject::Type(name) };
        let (configured, manual): (Option<String>, Option<String>) = (columns.read()?, columns.read()?);
        let rule = |document: Option<String>| document.as_deref().map(LimitRule::from_document);
        limits.push(MovedLimit { subject, configured: rule(configured), manual: rule(manual) });
    }
    Ok(limits)
}

/// Keeps rules that have arrived, in place of those that were here. Nothing runs here then, and nothing waits in lanes.
pub(crate) async fn keep_limits(session: &Session, limits: &[MovedLimit]) -> Result<(), Error> {
    let scope = |limit: &MovedLimit| if matches!(limit.subject, LimitSubject::Queue(_)) { QUEUE } else { TYPE };
    let document = |rule: &Option<LimitRule>| rule.as_ref().map(LimitRule::to_document);
    let scopes: Vec<i16> = limits.iter().map(scope).collect();
    let names: Vec<&str> = limits.iter().map(|limit| limit.subject.name()).collect();
    let configured: Vec<Option<String>> = limits.iter().map(|limit| document(&limit.configured)).collect();
    let manual: Vec<Option<String>> = limits.iter().map(|limit| document(&limit.manual)).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&scopes, Type::INT2_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&configured, Type::TEXT_ARRAY),
        (&manual, Type::TEXT_ARRAY),
    ];
    session.execute(sql!("limiting/raise_version"), &[]).await?;
    session.execute(sql!("limiting/upsert_rules"), &parameters).await?;
    Ok(())
}
