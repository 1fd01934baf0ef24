//! Copies tables aside before something is undone or repaired.
//!
//! A client cannot copy a whole server in reasonable time, and `pg_dump` may not be there or may be older than the
//! server. So the tables at stake are copied on the server itself, into a schema that only this role can read.

use std::{collections::BTreeSet, path::PathBuf};

use longshore_migrate::target::{ForeignKeys, Target, TargetError};
use tokio_postgres::Row;

use super::PostgresTarget;
use crate::{
    catalog::quoted,
    wire::{Param, Query},
};

/// What the name of every schema with copies begins with; the instant follows.
const PREFIX: &str = "longshore_backup_";
/// So many are kept.
const KEPT: usize = 5;
/// Copies of more than this take minutes: then somebody makes a backup with the server's own tools.
const MEBIBYTES_MAX: i64 = 1024;

/// A table with its place and its size.
struct Original {
    schema: String,
    name: String,
    bytes: i64,
}

impl PostgresTarget {
    /// The schema with the copies; `None` where no table of them has rows.
    pub(super) fn copy_aside(&mut self, tables: &BTreeSet<String>) -> Result<Option<PathBuf>, TargetError> {
        let originals = self.originals(tables)?;
        let mebibytes = originals.iter().map(|one| one.bytes).sum::<i64>() >> 20;
        if mebibytes > MEBIBYTES_MAX {
            let names: Vec<&str> = originals.iter().map(|one| one.name.as_str()).collect();
            return Err(TargetError::TooLarge { tables: names.join(", "), mebibytes });
        }
        if originals.is_empty() {
            return Ok(None);
        }
        self.begin(ForeignKeys::Enforced)?;
        let copied = self.copy_all(&originals).and_then(|schema| {
            self.commit()?;
            Ok(schema)
        });
        if copied.is_err() {
            self.roll_back();
        }
        copied.map(|schema| Some(PathBuf::from(format!("schema {schema}"))))
    }

    fn copy_all(&mut self, originals: &[Original]) -> Result<String, TargetError> {
        let instant = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD\"t\"HH24MISSMS')";
        let row = self.ask("reading the clock", Query::new(instant, Vec::new()))?;
        let instant: String = row.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        let schema = format!("{PREFIX}{instant}");
        self.run(&format!("CREATE SCHEMA {}", quoted(&schema)))?;
        for (at, Original { schema: from, name, .. }) in originals.iter().enumerate() {
            // Two schemas may have a table of one name.
            let is_taken = originals[..at].iter().any(|other| other.name == *name);
            let copy = if is_taken { quoted(&format!("{from}.{name}")) } else { quoted(name) };
            let (to, from) = (quoted(&schema), quoted(from));
            self.run(&format!("CREATE TABLE {to}.{copy} AS SELECT * FROM {from}.{}", quoted(name)))?;
        }
        self.prune()?;
        Ok(schema)
    }

    /// Those of the tables that are there and have rows. A partitioned table is copied as a whole.
    fn originals(&self, tables: &BTreeSet<String>) -> Result<Vec<Original>, TargetError> {
        let sql = "SELECT n.nspname::text AS schema, c.relname::text AS name, coalesce((
                SELECT sum(pg_catalog.pg_table_size(p.relid)) FROM pg_catalog.pg_partition_tree(c.oid) p
            ), pg_catalog.pg_table_size(c.oid))::bigint AS bytes
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND CASE WHEN n.nspname = $2 THEN c.relname ELSE n.nspname || '.' || c.relname END = ANY ($1)
            ORDER BY n.nspname, c.relname";
        let names = Param::Texts(Some(tables.iter().cloned().collect()));
        let found = self.ask("reading tables", Query::new(sql, vec![names, Param::text(&self.current)]))?;
        let original = |row: &Row| {
            let text = |column: &str| row.try_get::<_, String>(column).unwrap_or_default();
            let bytes = row.try_get("bytes").unwrap_or_default();
            Original { schema: text("schema"), name: text("name"), bytes }
        };
        let mut originals = Vec::new();
        for one in found.iter().map(original) {
            let sql = format!("SELECT 1 FROM {}.{} LIMIT 1", quoted(&one.schema), quoted(&one.name));
            if !self.ask(&sql, Query::new(sql.clone(), Vec::new()))?.is_empty() {
                originals.push(one);
            }
        }
        Ok(originals)
    }

    fn prune(&mut self) -> Result<(), TargetError> {
        let sql = "SELECT n.nspname::text FROM pg_catalog.pg_namespace n
            WHERE n.nspname ~ ('^' || $1 || '[0-9]{8}t[0-9]{9}$')
                AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
            ORDER BY n.nspname DESC";
        let found = self.ask("reading old copies", Query::new(sql, vec![Param::text(PREFIX)]))?;
        let names: Vec<String> = found.iter().filter_map(|row| row.try_get(0).ok()).collect();
        for old in names.iter().skip(KEPT) {
            self.run(&format!("DROP SCHEMA {} CASCADE", quoted(old)))?;
        }
        Ok(())
    }
}
