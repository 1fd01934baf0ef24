use std::collections::BTreeMap;

use longshore_migrate::{Loss, target::TargetError};

use super::{
    Fact, PostgresTarget, Watch,
    facts::{is_partition, successor},
};
use crate::{
    catalog::quoted,
    wire::{Param, Query},
};

/// Whether others are kept from writing between the two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locked {
    Yes,
    No,
}

/// How many rows a table has, and how many values that are not NULL each column.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    /// By the number of the column, which it keeps under any name.
    values: BTreeMap<i16, (String, u64)>,
}

impl PostgresTarget {
    /// Counts a table once, before the first statement that can change it.
    pub(super) fn count_table(&mut self, oid: u32, locked: Locked) -> Result<(), TargetError> {
        let Some(watch) = &self.watch else { return Ok(()) };
        if watch.counts.contains_key(&oid) || !watch.is_watched(oid) {
            return Ok(());
        }
        if locked == Locked::Yes
            && let Some(table) = self.sql_of(oid)?
        {
            self.run(&format!("LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE"))?;
        }
        let counts = self.counts_of(oid)?.unwrap_or_default();
        if let Some(watch) = &mut self.watch {
            watch.counts.insert(oid, counts);
        }
        Ok(())
    }

    /// A table as SQL, under the name that it has now.
    fn sql_of(&self, oid: u32) -> Result<Option<String>, TargetError> {
        let sql = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = ANY ($1)";
        let found = self.ask("reading a table", Query::new(sql, vec![Param::Oids(vec![oid])]))?;
        Ok(found.first().and_then(|row| row.try_get(0).ok()))
    }

    /// `None` where the table is gone.
    pub(super) fn counts_of(&self, oid: u32) -> Result<Option<Counts>, TargetError> {
        let Some(table) = self.sql_of(oid)? else { return Ok(None) };
        let sql = "SELECT attnum, attname::text FROM pg_catalog.pg_attribute
            WHERE attrelid = ANY ($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let columns = self.ask("reading columns", Query::new(sql, vec![Param::Oids(vec![oid])]))?;
        let columns: Vec<(i16, String)> =
            columns.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?))).collect();
        let counted: Vec<String> = columns.iter().map(|(_, name)| format!(", count({})", quoted(name))).collect();
        let query = format!("SELECT count(*){} FROM ONLY {table}", counted.concat());
        let rows = self.ask(&query, Query::new(query.clone(), Vec::new()))?;
        let number = |at: usize| {
            let number = rows.first().and_then(|row| row.try_get::<_, i64>(at).ok()).unwrap_or_default();
            u64::try_from(number).unwrap_or_default()
        };
        let values = columns.into_iter().enumerate().map(|(at, (place, name))| (place, (name, number(at + 1))));
        Ok(Some(Counts { rows: number(0), values: values.collect() }))
    }

    /// What there is less of in one table that was counted.
    pub(super) fn compare(&self, watch: &Watch, oid: u32, fact: &Fact) -> Result<Vec<Loss>, TargetError> {
        let (Some(known), Some(before)) = (watch.known.get(&oid), watch.counts.get(&oid)) else {
            return Ok(Vec::new());
        };
        let name = &known.name;
        let after = if fact.is_gone { self.successor_counts(watch, oid, before)? } else { self.counts_of(oid)? };
        let Some(after) = after else {
            return Ok((before.rows > 0).then(|| Loss::rows(name, before.rows, 0)).into_iter().collect());
        };
        let mut losses = Vec::new();
        // A row that has left its partition is in another one.
        if after.rows < before.rows && !(is_partition(watch, oid) && self.has_only_moved(watch, oid)?) {
            losses.push(Loss::rows(name, before.rows, after.rows));
        }
        for (place, (column, count)) in &before.values {
            let left = after.values.get(place).map_or(0, |(_, count)| *count);
            let is_meant = watch.nulled.contains(&(name.clone(), column.clone()));
            if left < *count && !is_meant && after.rows >= before.rows {
                losses.push(Loss::values(name, column, *count, left));
            }
        }
        Ok(losses)
    }

    /// Whether what the partitions of a table lack together is nothing.
    fn has_only_moved(&self, watch: &Watch, oid: u32) -> Result<bool, TargetError> {
        let facts = self.facts(&watch.known)?;
        let lost = self.deleted_of_root(watch, &facts, oid);
        Ok(lost <= 0)
    }

    /// The counts of the table that has taken the name of one that is gone, column by column of the same name.
    fn successor_counts(&self, watch: &Watch, oid: u32, before: &Counts) -> Result<Option<Counts>, TargetError> {
        let Some(known) = watch.known.get(&oid) else { return Ok(None) };
        let found = self.ask("reading a table", successor(known))?;
        let Some(other) = found.first().and_then(|row| row.try_get::<_, u32>(0).ok()) else { return Ok(None) };
        let Some(counts) = self.counts_of(other)? else { return Ok(None) };
        let by_name: BTreeMap<&str, u64> =
            counts.values.values().map(|(name, count)| (name.as_str(), *count)).collect();
        let values = before.values.iter().map(|(place, (name, _))| {
            (*place, (name.clone(), by_name.get(name.as_str()).copied().unwrap_or_default()))
        });
        Ok(Some(Counts { rows: counts.rows, values: values.collect() }))
    }

    /// How many rows a table or, with a column, values it has; 0 if it is not there.
    pub(in crate::target) fn count_rows(&self, table: &str, column: Option<&str>) -> Result<u64, TargetError> {
        let sql = "SELECT c.oid, n.nspname::text, c.relname::text
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'm', 'f')
                AND (n.nspname = $2 AND c.relname = $1 OR n.nspname || '.' || c.relname = $1)
            ORDER BY n.nspname = $2 DESC LIMIT 1";
        let params = vec![Param::text(table), Param::text(&self.current)];
        let found = self.ask("reading a table", Query::new(sql, params))?;
        let Some(row) = found.first() else { return Ok(0) };
        let text = |at: usize| row.try_get::<_, String>(at).unwrap_or_default();
        let counted = column.map_or_else(|| "*".to_owned(), quoted);
        let query = format!("SELECT count({counted}) FROM {}.{}", quoted(&text(1)), quoted(&text(2)));
        let rows = self.ask(&query, Query::new(query.clone(), Vec::new()))?;
        let count = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok()).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
