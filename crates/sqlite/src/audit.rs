//! The trail of what was changed by hand.

use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd, DeedOutcome, StoreFuture};
use rusqlite::{Row, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::store::SqliteStore;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

impl AuditTrail for SqliteStore {
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId> {
        Box::pin(self.parts.writer.run(BeginDeed { actor, deed }))
    }

    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()> {
        Box::pin(self.parts.writer.run(EndDeed { id, end }))
    }

    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(self.parts.readers.run("reading the audit trail", move |tx| {
            let mut statement = tx.connection.prepare_cached(include_str!("sql/audit/select_deeds.sql"))?;
            let parameters = params![
                request.before.map_or(i64::MAX, |id| id.0),
                request.limit,
                request.actor,
                request.action,
                AuditRequest::LOOKED_AT_MAX
            ];
            let entries = statement.query_map(parameters, entry)?.collect::<Result<_, _>>()?;
            Ok(entries)
        }))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let (ended_at, error) = (column::optional_timestamp(row, 6)?, column::optional_text(row, 8)?);
    Ok(AuditEntry {
        id: AuditId(column::integer(row, 0)?),
        at: column::timestamp(row, 1)?,
        actor: column::text(row, 2)?,
        via: column::text(row, 3)?,
        action: column::text(row, 4)?,
        target: column::text(row, 5)?,
        outcome: DeedOutcome::of(ended_at.is_some(), error.is_some()),
        ended_at,
        changed: column::optional_integer(row, 7)?.and_then(|changed| u64::try_from(changed).ok()),
        error,
    })
}

struct BeginDeed {
    actor: Actor,
    deed: Deed,
}

impl Work for BeginDeed {
    type Answer = AuditId;
    const DOING: &'static str = "writing the audit trail";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<AuditId, Fault> {
        tx.connection
            .prepare_cached(include_str!("sql/audit/delete_old_deeds.sql"))?
            .execute(params![tx.now.before(AuditEntry::KEPT).as_ms(), AuditEntry::REMOVED_MAX])?;
        let Actor { name, via } = &self.actor;
        let id =
            tx.connection.prepare_cached(include_str!("sql/audit/insert_deed.sql"))?.query_row(
                params![tx.now.as_ms(), name, via.as_str(), self.deed.action, self.deed.target()],
                |row| column::integer(row, 0),
            )?;
        Ok(AuditId(id))
    }
}

struct EndDeed {
    id: AuditId,
    end: DeedEnd,
}

impl Work for EndDeed {
    type Answer = ();
    const DOING: &'static str = "writing the audit trail";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let (changed, error) = match &self.end {
            DeedEnd::Done(changed) => (Some(i64::try_from(*changed).unwrap_or(i64::MAX)), None),
            DeedEnd::Failed(error) => (None, Some(error)),
        };
        tx.connection.prepare_cached(include_str!("sql/audit/end_deed.sql"))?.execute(params![
            self.id.0,
            tx.now.as_ms(),
            changed,
            error
        ])?;
        Ok(())
    }
}
