use std::collections::BTreeMap;

use longshore_migrate::{Loss, target::TargetError};

use super::{Counts, PostgresTarget, Watch};
use crate::wire::{Param, Query};

/// A table as it was when the check began.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// As the meaning of the schema names it.
    pub(super) name: String,
    pub(super) base: String,
    pub(super) schema: String,
    /// Of a partition the table that is divided, else itself: a row may move among the partitions.
    root: u32,
    file: i64,
    dropped_columns: i64,
    rows: Rows,
}

/// What this transaction has done to the rows of a table so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rows {
    inserted: i64,
    updated: i64,
    deleted: i64,
}

/// What has happened to a table since the check began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    pub(super) is_gone: bool,
    /// It was truncated or written anew.
    has_other_file: bool,
    has_lost_columns: bool,
    rows: Rows,
}

impl Fact {
    pub(super) fn needs_counts(&self) -> bool {
        self.is_gone || self.has_other_file || self.has_lost_columns || self.rows.updated > 0
    }

    pub(super) fn is_touched(&self) -> bool {
        self.needs_counts() || self.rows.deleted > 0
    }
}

const TABLES: &str = "SELECT
        c.oid, n.nspname::text AS schema, c.relname::text AS name,
        coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid) AS root,
        pg_catalog.pg_relation_filenode(c.oid)::bigint AS file,
        coalesce(d.count, 0) AS dropped_columns,
        coalesce(pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid), 0) AS inserted,
        CASE WHEN current_setting('track_counts')::boolean
            THEN coalesce(pg_catalog.pg_stat_get_xact_tuples_updated(c.oid), 0)
            ELSE (
                SELECT count(*) FROM pg_catalog.pg_locks l
                WHERE l.pid = pg_backend_pid() AND l.relation = c.oid AND l.mode = 'RowExclusiveLock'
            )
        END AS updated,
        coalesce(pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid), 0) AS deleted
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN (
        SELECT attrelid, count(*) AS count FROM pg_catalog.pg_attribute WHERE attisdropped GROUP BY attrelid
    ) AS d ON d.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

impl PostgresTarget {
    pub(super) fn known_tables(&self) -> Result<BTreeMap<u32, Known>, TargetError> {
        let names = self.names();
        let mut known = BTreeMap::new();
        for row in self.ask("reading the tables", Query::new(TABLES, Vec::new()))? {
            let text = |column: &str| row.try_get::<_, String>(column).unwrap_or_default();
            let number = |column: &str| row.try_get::<_, i64>(column).unwrap_or_default();
            let (schema, base) = (text("schema"), text("name"));
            if names.is_ledger(&schema, &base) {
                continue;
            }
            let table = Known {
                name: names.object(&schema, &base),
                root: row.try_get("root").unwrap_or_default(),
                file: number("file"),
                dropped_columns: number("dropped_columns"),
                rows: Rows { inserted: number("inserted"), updated: number("updated"), deleted: number("deleted") },
                base,
                schema,
            };
            known.insert(row.try_get("oid").unwrap_or_default(), table);
        }
        Ok(known)
    }

    /// What has happened to each of them.
    pub(super) fn facts(&self, known: &BTreeMap<u32, Known>) -> Result<BTreeMap<u32, Fact>, TargetError> {
        let now = self.known_tables()?;
        let fact = |(oid, then): (&u32, &Known)| {
            let Some(now) = now.get(oid) else {
                let fact =
                    Fact { is_gone: true, has_other_file: false, has_lost_columns: false, rows: Rows::default() };
                return (*oid, fact);
            };
            let rows = Rows {
                inserted: now.rows.inserted - then.rows.inserted,
                updated: now.rows.updated - then.rows.updated,
                deleted: now.rows.deleted - then.rows.deleted,
            };
            let fact = Fact {
                is_gone: false,
                has_other_file: now.file != then.file,
                has_lost_columns: now.dropped_columns > then.dropped_columns,
                rows,
            };
            (*oid, fact)
        };
        Ok(known.iter().map(fact).collect())
    }

    /// Rows that were deleted, by triggers and foreign keys too, where words did not say so before. What is deleted in
    /// one partition and inserted in another has only moved.
    pub(super) fn deleted(&self, watch: &Watch, facts: &BTreeMap<u32, Fact>) -> Result<Vec<Loss>, TargetError> {
        let mut losses = Vec::new();
        for (oid, fact) in facts.iter().filter(|(oid, _)| watch.is_watched(**oid)) {
            let Some(known) = watch.known.get(oid) else { continue };
            let is_lost = fact.rows.deleted > fact.rows.inserted && self.deleted_of_root(watch, facts, *oid) > 0;
            if !is_lost || fact.needs_counts() || watch.counts.contains_key(oid) {
                continue;
            }
            let gone = u64::try_from(fact.rows.deleted - fact.rows.inserted).unwrap_or_default();
            let left = self.counts_of(*oid)?.map_or(0, |counts: Counts| counts.rows);
            losses.push(Loss::rows(&known.name, left + gone, left));
        }
        Ok(losses)
    }

    /// How many rows the table of a partition has lost in all its partitions together.
    pub(super) fn deleted_of_root(&self, watch: &Watch, facts: &BTreeMap<u32, Fact>, oid: u32) -> i64 {
        let root = |oid: &u32| watch.known.get(oid).map(|known| known.root);
        let of_same = facts.iter().filter(|(other, _)| root(other) == root(&oid));
        of_same.map(|(_, fact)| fact.rows.deleted - fact.rows.inserted).sum()
    }
}

/// Whether a table is a partition, so that its rows can move to another one.
pub(super) fn is_partition(watch: &Watch, oid: u32) -> bool {
    watch.known.get(&oid).is_some_and(|known| known.root != oid)
}

/// The table that has the name now that this one had then.
pub(super) fn successor(known: &Known) -> Query {
    let sql = "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
    Query::new(sql, vec![Param::text(&known.schema), Param::text(&known.base)])
}
