use std::collections::HashSet;

use longshore_core::{BrokenKey, JobId, JobKeeper};
use rusqlite::{Connection, params};

use crate::database::column::{self, Columns};

const JOBS: &str = "job_queue";
/// How many tables lie at most on the way from a job to a row that keeps it.
const TABLES_MAX: usize = 5;
/// How many rows of a join are read to tell which table keeps jobs.
const JOINED_MAX: u32 = 100_000;

/// Foreign keys of the application that prevent the deletion of a job while a row refers to it, or to a row that would be
/// deleted with it.
///
/// They are checked before the deletion: a deferred foreign key would fail the commit, and with it the work of every
/// request in the transaction.
#[derive(Debug, Default)]
pub(crate) struct Keepers {
    references: Vec<Reference>,
    broken: Vec<BrokenKey>,
}

#[derive(Debug)]
struct Reference {
    table: String,
    column: String,
    path: ReferencePath,
}

impl Keepers {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let schema = ForeignKeys::read(connection)?;
        let mut keepers = Self::default();
        for key in schema.keys_to(JOBS) {
            if !key.is_usable(connection)? {
                keepers.broken.push(key.broken());
                continue;
            }
            let Some(column) = key.column_of("id") else { continue };
            let path = ReferencePath::begin(&key.table, column);
            // A row that is deleted with the job through another key cannot keep it by a column that is never NULL.
            let is_deleted = schema.is_deleted(key) && key.on_delete == "SET NULL";
            if !is_deleted && key.keeps_rows(connection)? {
                keepers.references.push(path.ends_at(&key.table, column));
            } else if key.on_delete == "CASCADE" {
                keepers.follow(&schema, &path, &key.table)?;
            }
        }
        Ok(keepers)
    }

    /// Adds the keys that keep rows of a table, which are deleted with their jobs.
    fn follow(&mut self, schema: &ForeignKeys<'_>, path: &ReferencePath, parent: &str) -> rusqlite::Result<()> {
        for key in schema.keys_to(parent).filter(|key| !key.table.eq_ignore_ascii_case(parent)) {
            let Some(joined) = path.joined(schema.connection, key)? else { continue };
            // A row that is deleted with the same job keeps nothing.
            if !schema.is_deleted(key) && key.keeps_rows(schema.connection)? {
                let column = key.columns.first().map_or("", String::as_str);
                self.references.push(joined.ends_at(&key.table, column));
            } else if key.on_delete == "CASCADE" && joined.tables < TABLES_MAX {
                self.follow(schema, &joined, &key.table)?;
            }
        }
        Ok(())
    }

    /// Foreign keys with which no job can be deleted.
    pub(crate) fn broken(&self) -> Vec<BrokenKey> {
        self.broken.clone()
    }

    /// Whether a row of another table refers to this job.
    pub(crate) fn keep(&self, connection: &Connection, id: JobId) -> rusqlite::Result<bool> {
        for Reference { path, .. } in &self.references {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = ?1)", path.from, path.job_id);
            if connection.prepare_cached(&sql)?.query_row([id.0], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tables that refer to ended jobs, with the number of jobs.
    pub(crate) fn tell(&self, connection: &Connection) -> rusqlite::Result<Vec<JobKeeper>> {
        let mut keepers = Vec::new();
        for Reference { table, column, path } in &self.references {
            // No index has the rows of a join, so only some of them are read.
            let read = if path.tables == 1 { String::new() } else { format!(" LIMIT {JOINED_MAX}") };
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM job_queue WHERE status IN ('completed', 'cancelled') \
                 AND id IN (SELECT {} FROM {}{read}) LIMIT ?1)",
                path.job_id, path.from
            );
            let jobs = connection.prepare(&sql)?.query_row(params![JobKeeper::JOBS_MAX], |row| column::size(row, 0))?;
            if jobs > 0 {
                keepers.push(JobKeeper { table: table.clone(), column: column.clone(), jobs });
            }
        }
        Ok(keepers)
    }
}

/// The tables from a row that may keep a job to the column with the job's id, as SQL.
#[derive(Debug)]
struct ReferencePath {
    from: String,
    job_id: String,
    tables: usize,
}

impl ReferencePath {
    fn begin(table: &str, column: &str) -> Self {
        Self { from: format!("{} AS t0", quoted(table)), job_id: format!("t0.{}", quoted(column)), tables: 1 }
    }

    fn ends_at(self, table: &str, column: &str) -> Reference {
        Reference { table: table.to_owned(), column: column.to_owned(), path: self }
    }

    /// With the table of a key that refers to the last one. `None` if the key refers to nothing.
    fn joined(&self, connection: &Connection, key: &ForeignKey) -> rusqlite::Result<Option<Self>> {
        let parents = key.parent_columns(connection)?;
        let known = names(connection, "SELECT name FROM pragma_table_xinfo(?1)", &key.parent)?;
        let is_known = |parent: &String| known.iter().any(|name| name.eq_ignore_ascii_case(parent));
        if parents.len() != key.columns.len() || !parents.iter().all(is_known) {
            return Ok(None);
        }
        let (own, last) = (self.tables, self.tables - 1);
        let mut on = Vec::new();
        for (column, parent) in key.columns.iter().zip(&parents) {
            on.push(format!("t{own}.{} = t{last}.{}", quoted(column), quoted(parent)));
        }
        let from = format!("{} JOIN {} AS t{own} ON {}", self.from, quoted(&key.table), on.join(" AND "));
        Ok(Some(Self { from, job_id: self.job_id.clone(), tables: own + 1 }))
    }
}

/// All foreign keys.
struct ForeignKeys<'c> {
    connection: &'c Connection,
    keys: Vec<ForeignKey>,
    /// The tables whose rows may be deleted with a job, in lower case.
    deleted: HashSet<String>,
}

impl<'c> ForeignKeys<'c> {
    fn read(connection: &'c Connection) -> rusqlite::Result<Self> {
        let keys = ForeignKey::all(connection)?;
        let deleted = deleted_with_jobs(&keys);
        Ok(Self { connection, keys, deleted })
    }

    fn keys_to<'s>(&'s self, parent: &'s str) -> impl Iterator<Item = &'s ForeignKey> {
        self.keys.iter().filter(move |key| key.refers_to(parent))
    }

    /// Whether the rows of the key's table may be deleted with a job.
    fn is_deleted(&self, key: &ForeignKey) -> bool {
        self.deleted.contains(&key.table.to_ascii_lowercase())
    }
}

/// A foreign key of any table.
struct ForeignKey {
    id: i64,
    table: String,
    columns: Vec<String>,
    parent: String,
    /// What it refers to; empty for the primary key.
    parents: Vec<String>,
    on_delete: String,
}

impl ForeignKey {
    fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut statement = connection.prepare_cached(include_str!("../../sql/actions/select_keepers.sql"))?;
        let mut rows = statement.query([])?;
        let mut keys: Vec<Self> = Vec::new();
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let (table, id) = (columns.read(column::text)?, columns.read(column::integer)?);
            let (from, parent) = (columns.read(column::text)?, columns.read(column::text)?);
            let (to, on_delete) = (columns.read(column::optional_text)?, columns.read(column::text)?);
            match keys.last_mut() {
                Some(last) if last.table == table && last.id == id => {
                    last.columns.push(from);
                    last.parents.extend(to);
                }
                _ => {
                    let parents = to.into_iter().collect();
                    keys.push(Self { id, table, columns: vec![from], parent, parents, on_delete });
                }
            }
        }
        Ok(keys)
    }

    fn refers_to(&self, table: &str) -> bool {
        self.parent.eq_ignore_ascii_case(table)
    }

    /// The column that refers to this column of the jobs.
    fn column_of(&self, parent: &str) -> Option<&String> {
        let mut pairs = self.columns.iter().zip(&self.parents);
        let named = pairs.find(|(_, named)| named.eq_ignore_ascii_case(parent));
        named.map(|(column, _)| column).or_else(|| self.columns.first().filter(|_| self.parents.is_empty()))
    }

    /// Whether what it refers to in the jobs is the primary key, or has a unique index of the application.
    fn is_usable(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let parents: Vec<String> = self.parents.iter().map(|name| name.to_ascii_lowercase()).collect();
        match parents.as_slice() {
            [] => Ok(self.columns.len() == 1),
            [name] if name == "id" => Ok(true),
            names => has_unique_index(connection, names),
        }
    }

    fn broken(&self) -> BrokenKey {
        let refers_to = if self.parents.is_empty() { vec!["id".to_owned()] } else { self.parents.clone() };
        BrokenKey { table: self.table.clone(), columns: self.columns.clone(), refers_to }
    }

    /// Whether a row that refers to another one keeps that.
    fn keeps_rows(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self.on_delete.as_str() {
            "CASCADE" => Ok(false),
            "SET NULL" => self.is_never_null(connection),
            _ => Ok(true),
        }
    }

    /// Whether one of its columns cannot be NULL.
    fn is_never_null(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let strict = names(connection, "SELECT name FROM pragma_table_info(?1) WHERE \"notnull\"", &self.table)?;
        Ok(self.columns.iter().any(|column| strict.iter().any(|name| name.eq_ignore_ascii_case(column))))
    }

    fn parent_columns(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        if !self.parents.is_empty() {
            return Ok(self.parents.clone());
        }
        names(connection, "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk", &self.parent)
    }
}

fn deleted_with_jobs(keys: &[ForeignKey]) -> HashSet<String> {
    let mut deleted = HashSet::new();
    // Each round but the last one adds a table.
    for _ in 0..=keys.len() {
        let before = deleted.len();
        for key in keys.iter().filter(|key| key.on_delete == "CASCADE") {
            if key.refers_to(JOBS) || deleted.contains(&key.parent.to_ascii_lowercase()) {
                deleted.insert(key.table.to_ascii_lowercase());
            }
        }
        if deleted.len() == before {
            break;
        }
    }
    deleted
}

/// Whether a unique index of the jobs has exactly these columns, which are in lower case.
fn has_unique_index(connection: &Connection, wanted: &[String]) -> rusqlite::Result<bool> {
    let unique = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND NOT partial";
    for index in names(connection, unique, JOBS)? {
        let indexed = names(connection, "SELECT name FROM pragma_index_info(?1)", &index)?;
        let indexed: HashSet<String> = indexed.iter().map(|name| name.to_ascii_lowercase()).collect();
        if indexed.len() == wanted.len() && wanted.iter().all(|name| indexed.contains(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn names(connection: &Connection, sql: &str, of: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map([of], |row| column::text(row, 0))?.collect()
}

/// A name as a quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
