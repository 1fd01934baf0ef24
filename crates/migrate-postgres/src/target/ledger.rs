//! The ledgers' tables on PostgreSQL: read in every form, and made. What another manager reads is never altered.
//!
//! The application's ledger is in its own schema, the queue's with all that belongs to it in the queue's.

mod shared;
mod write;

use longshore_migrate::{
    files::checksum::Checksum,
    files::source::APP,
    ledger::{Event, EventKind, ForeignLedger, Form, Ledger, OWN_TABLE, READ_FROM_OLDER, Row, TABLE, Tool, Witness},
    target::{Checkpoint, TargetError},
    {Direction, MigrationId, OutsideCause},
};

use super::PostgresTarget;
use crate::wire::{Param, Query};
use shared::Column;

/// An instant as the ledger keeps it in text.
const INSTANT: &str = "'YYYY-MM-DD HH24:MI:SS.MS'";

impl PostgresTarget {
    /// Reads the ledgers and those of other tools.
    pub(super) fn read_ledger(&self) -> Result<Ledger, TargetError> {
        let form = self.ledger_form()?;
        let mut rows = if form == Form::Current { self.own_rows()? } else { Vec::new() };
        let columns = self.columns(TABLE)?;
        if shared::is_usable(&columns) {
            let details: Vec<Row> = rows.extract_if(.., |row| row.source.as_deref() == Some(APP)).collect();
            rows.extend(self.shared_rows(&columns, &details)?);
        }
        let has_other_manager = match form {
            Form::Old => !rows.is_empty(),
            Form::Current => self.has_older_events()?,
            Form::Missing | Form::Combined => false,
        };
        Ok(Ledger { form, rows, has_other_manager, foreign: self.foreign_ledgers()?, ..Ledger::default() })
    }

    fn ledger_form(&self) -> Result<Form, TargetError> {
        if self.has_own_ledger()? {
            return Ok(Form::Current);
        }
        Ok(if shared::is_usable(&self.columns(TABLE)?) { Form::Old } else { Form::Missing })
    }

    pub(super) fn has_own_ledger(&self) -> Result<bool, TargetError> {
        let sql = "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'";
        let params = vec![Param::text(&*self.options.schema), Param::text(OWN_TABLE)];
        Ok(!self.ask("looking for the ledger", Query::new(sql, params))?.is_empty())
    }

    /// The columns of a table in the application's schema.
    fn columns(&self, table: &str) -> Result<Vec<Column>, TargetError> {
        let sql = "SELECT a.attname::text, t.typname::text,
                a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_wanted
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum";
        let params = vec![Param::text(&self.current), Param::text(table)];
        let rows = self.ask("reading the ledger", Query::new(sql, params))?;
        let column = |row: &tokio_postgres::Row| {
            let text = |at: usize| row.try_get::<_, String>(at).unwrap_or_default();
            Column { name: text(0), of_type: text(1), is_wanted: row.try_get(2).unwrap_or_default() }
        };
        Ok(rows.iter().map(column).collect())
    }

    fn own_rows(&self) -> Result<Vec<Row>, TargetError> {
        let sql = format!(
            "SELECT source, migration_number, migration_name,
                 to_char(applied_at AT TIME ZONE 'UTC', {INSTANT}), to_char(rollback_at AT TIME ZONE 'UTC', {INSTANT}),
                 checksum, duration_ms, applied_by, is_verified
             FROM {} ORDER BY source, migration_number",
            self.own(OWN_TABLE)
        );
        let rows = self.ask("reading the ledger", Query::new(sql, Vec::new()))?;
        let row = |row: &tokio_postgres::Row| {
            let text = |at: usize| row.try_get::<_, Option<String>>(at).ok().flatten();
            let is_verified = row.try_get::<_, bool>(8).unwrap_or_default();
            Row {
                source: text(0),
                number: row.try_get(1).unwrap_or_default(),
                name: text(2).unwrap_or_default(),
                applied_at: text(3),
                rolled_back_at: text(4),
                checksum: text(5).map(Checksum::recorded),
                duration_ms: row.try_get(6).ok().flatten(),
                applied_by: text(7),
                witness: if is_verified { Witness::Shown } else { Witness::Unverified },
            }
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Whether somebody else's rows were there when the ledger was made.
    fn has_older_events(&self) -> Result<bool, TargetError> {
        let sql = format!("SELECT FROM {} WHERE detail = $1 LIMIT 1", self.own(&format!("{OWN_TABLE}_history")));
        let query = Query::new(sql, vec![Param::text(READ_FROM_OLDER)]);
        Ok(!self.ask("reading the history", query)?.is_empty())
    }

    /// The ledgers of other tools in the application's schema.
    fn foreign_ledgers(&self) -> Result<Vec<ForeignLedger>, TargetError> {
        let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY c.relname";
        let tables = self.ask("reading the tables", Query::new(sql, vec![Param::text(&self.current)]))?;
        let tables = tables.iter().filter_map(|row| row.try_get::<_, String>(0).ok());
        let mut found = Vec::new();
        for table in tables.filter(|name| Tool::may_be_ledger(name)) {
            let columns: Vec<String> = self.columns(&table)?.into_iter().map(|column| column.name).collect();
            let Some(tool) = Tool::recognise(&table, &columns) else { continue };
            let versions = match tool.query(&table) {
                Some(query) => self.versions(&query, &table)?,
                None => Vec::new(),
            };
            found.push(ForeignLedger { tool, table, versions });
        }
        Ok(found)
    }

    fn versions(&self, query: &str, table: &str) -> Result<Vec<String>, TargetError> {
        // The conditions are for databases in which a number is a truth.
        let query = query.replace("WHERE 1 ", "WHERE true ");
        let query = query.replace(&format!("FROM \"{table}\""), &format!("FROM {}", self.shared(table)));
        let rows = match self.ask("reading the ledger of another tool", Query::new(query, Vec::new())) {
            // It is no ledger as that tool makes it, or not for our eyes: it is named and left alone.
            Err(TargetError::Statement { .. } | TargetError::Outside(OutsideCause::Denied { .. })) => Vec::new(),
            rows => rows?,
        };
        Ok(rows.iter().filter_map(|row| row.try_get::<_, Option<String>>(0).ok().flatten()).collect())
    }

    /// Every event in the order in which it was written.
    pub(super) fn read_history(&self) -> Result<Vec<Event>, TargetError> {
        if !self.has_own_ledger()? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT source, migration_number, migration_name, event, at, who, host, reason, duration_ms, detail
             FROM {} ORDER BY id",
            self.own(&format!("{OWN_TABLE}_history"))
        );
        let rows = self.ask("reading the history", Query::new(sql, Vec::new()))?;
        let event = |row: &tokio_postgres::Row| {
            let text = |at: usize| row.try_get::<_, Option<String>>(at).ok().flatten();
            let word = text(3)?;
            Some(Event {
                id: MigrationId::new(text(0)?, row.try_get(1).ok()?),
                name: text(2)?,
                event: EventKind::ALL.into_iter().find(|kind| kind.word() == word)?,
                at: text(4)?,
                who: text(5),
                host: text(6),
                reason: text(7),
                duration_ms: row.try_get(8).ok().flatten(),
                detail: text(9),
            })
        };
        Ok(rows.iter().filter_map(event).collect())
    }

    /// The checkpoints of one direction, in the order of the statements.
    pub(super) fn read_checkpoints(
        &self,
        id: &MigrationId,
        direction: Direction,
    ) -> Result<Vec<Checkpoint>, TargetError> {
        if !self.has_own_ledger()? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT statement, checksum FROM {}
             WHERE source = $1 AND migration_number = $2 AND direction = $3 ORDER BY statement",
            self.own(&format!("{OWN_TABLE}_checkpoints"))
        );
        let params = vec![Param::text(&id.source), Param::Integer(Some(id.number)), Param::text(word(direction))];
        let rows = self.ask("reading the checkpoints", Query::new(sql, params))?;
        let checkpoint = |row: &tokio_postgres::Row| Checkpoint {
            id: id.clone(),
            direction,
            statement: usize::try_from(row.try_get::<_, i64>(0).unwrap_or_default()).unwrap_or(usize::MAX),
            checksum: row.try_get(1).unwrap_or_default(),
        };
        Ok(rows.iter().map(checkpoint).collect())
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
