//! Makes and writes the ledgers. Everything here runs in the caller's transaction.

use longshore_migrate::{
    MigrationId,
    files::checksum::Checksum,
    files::source::APP,
    ledger::{Event, EventKind, Ledger, OWN_TABLE, Record, Row, RowChange, SharedRow, TABLE, Witness, implied_history},
    target::{Checkpoint, TargetError},
};

use super::{shared, word};
use crate::{
    catalog::quoted,
    target::PostgresTarget,
    wire::{Param, Query},
};

const WRITING: &str = "writing the ledger";

impl PostgresTarget {
    /// Makes the ledgers where there are none, and leaves the present ones alone.
    pub(in crate::target) fn make_ledger(&mut self, found: &Ledger) -> Result<(), TargetError> {
        if self.has_own_ledger()? {
            return Ok(());
        }
        self.create_own()?;
        for row in found.rows.iter().filter(|row| row.source.as_deref() != Some(APP)) {
            self.insert_older(row)?;
        }
        implied_history(found).iter().try_for_each(|event| self.append(event))
    }

    /// The tables beside the ledger may have outlived it: somebody dropped it, and the history continues.
    fn create_own(&mut self) -> Result<(), TargetError> {
        let schema = quoted(&self.options.schema);
        // Who may use the schema need not be allowed to make one.
        let query = Query::new(
            "SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1",
            vec![Param::text(&*self.options.schema)],
        );
        if self.ask("looking for the ledger", query)?.is_empty() {
            self.run(&format!("CREATE SCHEMA {schema}"))?;
        }
        self.run(&include_str!("create.sql").replace("longshore.", &format!("{schema}."))).map(|_| ())
    }

    fn insert_older(&mut self, row: &Row) -> Result<(), TargetError> {
        let sql = format!(
            "INSERT INTO {} (migration_number, migration_name, applied_at, rollback_at, source)
             VALUES ($1, $2, ($3::text || '+00')::timestamptz, ($4::text || '+00')::timestamptz, $5)",
            self.own(OWN_TABLE)
        );
        let id = row.id();
        let params = vec![
            Param::Integer(Some(id.number)),
            Param::text(&row.name),
            Param::Text(row.applied_at.clone()),
            Param::Text(row.rolled_back_at.clone()),
            Param::text(id.source),
        ];
        self.ask(WRITING, Query::new(sql, params)).map(|_| ())
    }

    /// Writes the row's change and its event.
    pub(in crate::target) fn write_record(&mut self, record: &Record) -> Result<(), TargetError> {
        let event = &record.event;
        let mut row = SharedRow {
            number: event.id.number,
            name: event.name.clone(),
            applied_at: Some(in_ledger(&event.at)),
            rolled_back_at: None,
        };
        match &record.change {
            RowChange::Applied { checksum, witness } => {
                if event.id.source == APP {
                    row = self.share(event, row)?;
                }
                self.write_applied(record, &row, (checksum.as_ref(), *witness))?;
            }
            RowChange::RolledBack { witness } => self.write_rolled_back(event, *witness)?,
            RowChange::None => {}
        }
        self.append(event)
    }

    fn write_rolled_back(&mut self, event: &Event, witness: Witness) -> Result<(), TargetError> {
        let at = in_ledger(&event.at);
        let columns = self.columns(TABLE)?;
        if event.id.source == APP && shared::is_usable(&columns) {
            let was = self.shared_row(&columns, event.id.number)?.filter(|was| was.rolled_back_at.is_none());
            if let Some(was) = was {
                let now = SharedRow { rolled_back_at: Some(at.clone()), ..was };
                self.write_shared_row(now.number, Some(&now))?;
            }
        }
        let sql = format!(
            "UPDATE {} SET rollback_at = ($3::text || '+00')::timestamptz, is_verified = $4
             WHERE source = $1 AND migration_number = $2 AND rollback_at IS NULL",
            self.own(OWN_TABLE)
        );
        let params = vec![
            Param::text(&event.id.source),
            Param::Integer(Some(event.id.number)),
            Param::text(at),
            Param::Truth(witness == Witness::Shown),
        ];
        self.ask(WRITING, Query::new(sql, params)).map(|_| ())
    }

    fn write_applied(
        &mut self,
        record: &Record,
        row: &SharedRow,
        (checksum, witness): (Option<&Checksum>, Witness),
    ) -> Result<(), TargetError> {
        let event = &record.event;
        let sql = format!(
            "INSERT INTO {} (migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms,
                 applied_by, is_verified)
             VALUES ($1, $2, ($3::text || '+00')::timestamptz, NULL, $4, $5, $6, $7, $8)
             ON CONFLICT (source, migration_number) DO UPDATE SET
                 migration_name = excluded.migration_name, applied_at = excluded.applied_at, rollback_at = NULL,
                 checksum = excluded.checksum, duration_ms = excluded.duration_ms,
                 applied_by = excluded.applied_by, is_verified = excluded.is_verified",
            self.own(OWN_TABLE)
        );
        let params = vec![
            Param::Integer(Some(event.id.number)),
            Param::text(&event.name),
            Param::Text(row.applied_at.clone()),
            Param::text(&event.id.source),
            Param::Text(checksum.map(|checksum| checksum.as_str().to_owned())),
            Param::Integer(event.duration_ms),
            Param::Text(author(event)),
            Param::Truth(witness == Witness::Shown),
        ];
        self.ask(WRITING, Query::new(sql, params)).map(|_| ())
    }

    /// Writes the row into the application's ledger, and gives it as it is there. A mark changes nothing of a row that
    /// another manager has written, but that it counts.
    fn share(&mut self, event: &Event, row: SharedRow) -> Result<SharedRow, TargetError> {
        let columns = self.columns(TABLE)?;
        if columns.is_empty() {
            self.create_shared()?;
            for kept in self.own_rows()?.iter().filter(|kept| kept.source.as_deref() == Some(APP)) {
                self.write_shared_row(kept.number, Some(&kept.shared()))?;
            }
        } else if !shared::is_usable(&columns) {
            return Ok(row);
        }
        let columns = self.columns(TABLE)?;
        let was = self.shared_row(&columns, row.number)?.filter(|_| event.event != EventKind::Applied);
        let row = was.map_or(row, |was| SharedRow { rolled_back_at: None, ..was });
        self.write_shared_row(row.number, Some(&row))?;
        Ok(row)
    }

    fn append(&mut self, event: &Event) -> Result<(), TargetError> {
        let (history, ledger) = (self.own(&format!("{OWN_TABLE}_history")), self.own(OWN_TABLE));
        let sql = format!(
            "INSERT INTO {history} (at, event, source, migration_number, migration_name, who, host, reason, duration_ms,
                 checksum, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                 (SELECT checksum FROM {ledger} WHERE source = $3 AND migration_number = $4), $10)"
        );
        let params = vec![
            Param::text(&event.at),
            Param::text(event.event.word()),
            Param::text(&event.id.source),
            Param::Integer(Some(event.id.number)),
            Param::text(&event.name),
            Param::Text(event.who.clone()),
            Param::Text(event.host.clone()),
            Param::Text(event.reason.clone()),
            Param::Integer(event.duration_ms),
            Param::Text(event.detail.clone()),
        ];
        self.ask("writing the history", Query::new(sql, params)).map(|_| ())
    }

    /// Adds a checkpoint, or writes it again for a statement that is run again.
    pub(in crate::target) fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TargetError> {
        let sql = format!(
            "INSERT INTO {} (source, migration_number, direction, statement, checksum) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (source, migration_number, direction, statement) DO UPDATE SET checksum = excluded.checksum",
            self.own(&format!("{OWN_TABLE}_checkpoints"))
        );
        let params = vec![
            Param::text(&checkpoint.id.source),
            Param::Integer(Some(checkpoint.id.number)),
            Param::text(word(checkpoint.direction)),
            Param::Integer(Some(i64::try_from(checkpoint.statement).unwrap_or(i64::MAX))),
            Param::text(&checkpoint.checksum),
        ];
        self.ask("writing a checkpoint", Query::new(sql, params)).map(|_| ())
    }

    /// Forgets what an earlier run of either direction did.
    pub(in crate::target) fn delete_checkpoints(&mut self, id: &MigrationId) -> Result<(), TargetError> {
        let table = self.own(&format!("{OWN_TABLE}_checkpoints"));
        let sql = format!("DELETE FROM {table} WHERE source = $1 AND migration_number = $2");
        let params = vec![Param::text(&id.source), Param::Integer(Some(id.number))];
        self.ask("deleting the checkpoints", Query::new(sql, params)).map(|_| ())
    }
}

/// The incident's form of an instant: a space for the `T`, no `Z`.
fn in_ledger(at: &str) -> String {
    at.replacen('T', " ", 1).trim_end_matches('Z').to_owned()
}

fn author(event: &Event) -> Option<String> {
    match (&event.who, &event.host) {
        (Some(who), Some(host)) => Some(format!("{who}@{host}")),
        (who, host) => who.clone().or_else(|| host.clone()),
    }
}
