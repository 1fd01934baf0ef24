//! The trail of what was changed by hand.

use std::sync::Arc;

use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd, DeedOutcome, StoreFuture};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::{Parts, PostgresStore};

impl AuditTrail for PostgresStore {
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId> {
        self.run("writing the audit trail", move |parts| begin(parts, actor, deed))
    }

    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()> {
        self.run("writing the audit trail", move |parts| finish(parts, id, end))
    }

    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        self.run("reading the audit trail", move |parts| list(parts, request))
    }
}

async fn begin(parts: Arc<Parts>, actor: Actor, deed: Deed) -> Result<AuditId, Fault> {
    let (via, target) = (actor.via.as_str(), deed.target());
    let (kept, removed_max) = (AuditEntry::KEPT.as_secs_f64(), i64::from(AuditEntry::REMOVED_MAX));
    let parameters: [Parameter<'_>; 6] = [
        (&actor.name, Type::TEXT),
        (&via, Type::TEXT),
        (&deed.action, Type::TEXT),
        (&target, Type::TEXT),
        (&kept, Type::FLOAT8),
        (&removed_max, Type::INT8),
    ];
    let rows = parts.pool.session().await?.query(sql!("audit/insert_deed"), &parameters).await?;
    let row = rows.first().expect("an insert that returns its row");
    Ok(AuditId(Columns::of(row).read()?))
}

async fn finish(parts: Arc<Parts>, id: AuditId, end: DeedEnd) -> Result<(), Fault> {
    let (changed, error) = match end {
        DeedEnd::Done(changed) => (Some(i64::try_from(changed).unwrap_or(i64::MAX)), None),
        // A text of PostgreSQL has no zero byte.
        DeedEnd::Failed(error) => (None, Some(error.replace('\0', "\u{fffd}"))),
    };
    let parameters: [Parameter<'_>; 3] = [(&id.0, Type::INT8), (&changed, Type::INT8), (&error, Type::TEXT)];
    parts.pool.session().await?.execute(sql!("audit/end_deed"), &parameters).await?;
    Ok(())
}

async fn list(parts: Arc<Parts>, request: AuditRequest) -> Result<Vec<AuditEntry>, Fault> {
    let AuditRequest { before, actor, action, limit } = request;
    let before = before.map_or(i64::MAX, |id| id.0);
    let (limit, looked_at) = (i64::from(limit), i64::from(AuditRequest::LOOKED_AT_MAX));
    let parameters: [Parameter<'_>; 5] = [
        (&before, Type::INT8),
        (&limit, Type::INT8),
        (&actor, Type::TEXT),
        (&action, Type::TEXT),
        (&looked_at, Type::INT8),
    ];
    let rows = parts.pool.session().await?.query(sql!("audit/select_deeds"), &parameters).await?;
    Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
}

fn entry(row: &Row) -> Result<AuditEntry, Error> {
    let columns = &mut Columns::of(row);
    let (id, at) = (AuditId(columns.read()?), columns.instant()?);
    let (actor, via, action, target) = (columns.read()?, columns.read()?, columns.read()?, columns.read()?);
    let (ended_at, changed) = (columns.optional_instant()?, columns.read::<Option<i64>>()?);
    let error: Option<String> = columns.read()?;
    Ok(AuditEntry {
        id,
        at,
        actor,
        via,
        action,
        target,
        outcome: DeedOutcome::of(ended_at.is_some(), error.is_some()),
        ended_at,
        changed: changed.and_then(|changed| u64::try_from(changed).ok()),
        error,
    })
}
