//! Gives a table a new shape with its rows, the way that SQLite's own documentation prescribes (lang_altertable.html).

use longshore_migrate::{
    files::script::{TokenKind, tokens},
    target::Rebuild,
};
use rusqlite::Connection;

use super::quoted;

/// Rows copied between two reports.
const BATCH: i64 = 20_000;

type Failed = (String, rusqlite::Error);

/// Runs one statement and gives the number of rows that it changed.
type Run<'a> = &'a dyn Fn(&str) -> rusqlite::Result<u64>;

/// Gives the number of rows. The caller has suspended foreign keys outside the transaction.
pub(super) fn rebuild(
    connection: &Connection,
    rebuild: &Rebuild,
    report: &dyn Fn(u64, u64),
    run: Run<'_>,
) -> Result<u64, Failed> {
    let table = &rebuild.table;
    let fresh = format!("{table}_rebuilt");
    let failed = |error| ("reading sqlite_schema".to_owned(), error);
    let parts = Parts::read(connection, table).map_err(failed)?;
    parts.drop(run)?;
    execute(run, &renamed(&rebuild.shape, table, &fresh))?;
    let rows = copy(connection, rebuild, &fresh, report, run)?;
    keep_sequence(connection, table, &fresh, run)?;
    execute(run, &format!("DROP TABLE {}", quoted(table)))?;
    execute(run, &format!("ALTER TABLE {} RENAME TO {}", quoted(&fresh), quoted(table)))?;
    parts.make(connection, run)?;
    Ok(rows)
}

fn execute(run: Run<'_>, statement: &str) -> Result<u64, Failed> {
    run(statement).map_err(|error| (statement.to_owned(), error))
}

/// What goes with the table, and what would stop its rename: SQLite reads every view and every trigger then.
struct Parts {
    indexes: Vec<String>,
    /// `(name, statement)` of every view and of every trigger.
    views: Vec<(String, String)>,
    triggers: Vec<(String, String)>,
    /// Statements that could be compiled before, and must be afterwards.
    uses: Vec<String>,
}

impl Parts {
    fn read(connection: &Connection, table: &str) -> rusqlite::Result<Self> {
        let read = |kind: &str, of: &str| {
            let query = format!(
                "SELECT name, sql FROM sqlite_schema WHERE type = '{kind}' AND sql IS NOT NULL AND {of} ORDER BY rowid"
            );
            let mut prepared = connection.prepare(&query)?;
            let found = prepared.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let own = format!("tbl_name = '{}' COLLATE NOCASE", table.replace('\'', "''"));
        let indexes = read("index", &own)?.into_iter().map(|(_, sql)| sql).collect();
        let views = read("view", "1")?;
        let mut uses: Vec<String> = views.iter().map(|(name, _)| format!("SELECT 1 FROM {}", quoted(name))).collect();
        let name = quoted(table);
        uses.extend([format!("INSERT INTO {name} DEFAULT VALUES"), format!("DELETE FROM {name}")]);
        let column = columns(connection, table)?.first().map(|column| quoted(column));
        uses.extend(column.map(|column| format!("UPDATE {name} SET {column} = {column}")));
        uses.retain(|statement| connection.prepare(statement).is_ok());
        Ok(Self { indexes, views, triggers: read("trigger", "1")?, uses })
    }

    fn drop(&self, run: Run<'_>) -> Result<(), Failed> {
        for (name, _) in &self.triggers {
            execute(run, &format!("DROP TRIGGER {}", quoted(name)))?;
        }
        for (name, _) in &self.views {
            execute(run, &format!("DROP VIEW {}", quoted(name)))?;
        }
        Ok(())
    }

    fn make(self, connection: &Connection, run: Run<'_>) -> Result<(), Failed> {
        let views = self.views.into_iter().chain(self.triggers).map(|(_, sql)| sql);
        for sql in self.indexes.into_iter().chain(views) {
            execute(run, &sql)?;
        }
        // SQLite makes a view or a trigger over columns that are not there, and says so only to whoever uses it.
        for statement in self.uses {
            connection.prepare(&statement).map_err(|error| (statement.clone(), error))?;
        }
        Ok(())
    }
}

/// The shape under the name of the new table; a reference of the table to itself is renamed with it, because RENAME
/// turns it back.
fn renamed(shape: &str, table: &str, fresh: &str) -> String {
    let mut text = String::new();
    let mut before_open = true;
    let mut after_references = false;
    for token in tokens(shape) {
        let is_name =
            matches!(token.kind, TokenKind::Word | TokenKind::Quoted) && token.name().eq_ignore_ascii_case(table);
        if is_name && (before_open || after_references) {
            text.push_str(&quoted(fresh));
            before_open = false;
        } else {
            text.push_str(token.text);
        }
        if token.text == "(" {
            before_open = false;
        }
        if token.has_meaning() {
            after_references = token.is("references");
        }
    }
    text
}

pub(super) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    // hidden: 0 an ordinary column; generated ones cannot be written.
    let mut prepared = connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid")?;
    let found = prepared.query_map([table], |row| row.get(0))?;
    found.collect()
}

fn copy(
    connection: &Connection,
    rebuild: &Rebuild,
    fresh: &str,
    report: &dyn Fn(u64, u64),
    run: Run<'_>,
) -> Result<u64, Failed> {
    let read = |table: &str| columns(connection, table).map_err(|error| ("reading the columns".to_owned(), error));
    let (old, new) = (read(&rebuild.table)?, read(fresh)?);
    let mut targets = Vec::new();
    let mut values = Vec::new();
    for column in &new {
        let given = rebuild.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
        let kept = old.iter().find(|name| name.eq_ignore_ascii_case(column));
        let Some(value) = given.map(|(_, value)| value.clone()).or_else(|| kept.map(|name| quoted(name))) else {
            continue;
        };
        targets.push(quoted(column));
        values.push(value);
    }
    if targets.is_empty() {
        return Ok(0);
    }
    let insert = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {}",
        quoted(fresh),
        targets.join(", "),
        values.join(", "),
        quoted(&rebuild.table)
    );
    in_batches(connection, rebuild, &insert, report, run)
}

/// By rowid in slices, so that whoever watches sees it move; a table without rowid goes in one.
fn in_batches(
    connection: &Connection,
    rebuild: &Rebuild,
    insert: &str,
    report: &dyn Fn(u64, u64),
    run: Run<'_>,
) -> Result<u64, Failed> {
    let table = quoted(&rebuild.table);
    let bounds = format!("SELECT min(rowid), max(rowid), count(*) FROM {table}");
    let found = connection.query_row(&bounds, [], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?))
    });
    let Ok((Some(first), Some(last), total)) = found else {
        return execute(run, insert);
    };
    let total = u64::try_from(total).unwrap_or_default();
    let mut done = 0;
    let mut from = first;
    while from <= last {
        let next =
            format!("SELECT rowid FROM {table} WHERE rowid >= {from} ORDER BY rowid LIMIT 1 OFFSET {}", BATCH - 1);
        let to = connection.query_row(&next, [], |row| row.get::<_, i64>(0)).unwrap_or(last);
        done += execute(run, &format!("{insert} WHERE rowid BETWEEN {from} AND {to} ORDER BY rowid"))?;
        report(done, total);
        let Some(after) = to.checked_add(1) else {
            break;
        };
        from = after;
    }
    Ok(done)
}

/// AUTOINCREMENT continues where the old table stood, so that an id is never given twice.
fn keep_sequence(connection: &Connection, table: &str, fresh: &str, run: Run<'_>) -> Result<(), Failed> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    let has_sequence = connection.prepare(exists).and_then(|mut prepared| prepared.exists([]));
    if !has_sequence.unwrap_or(false) {
        return Ok(());
    }
    let literal = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let (old, new) = (literal(table), literal(fresh));
    execute(
        run,
        &format!(
            "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = {old} COLLATE NOCASE), 0)) WHERE name = {new}"
        ),
    )?;
    let insert = format!(
        "INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence
         WHERE name = {old} COLLATE NOCASE AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {new})
           AND EXISTS (SELECT 1 FROM sqlite_schema WHERE name = {new} AND sql LIKE '%autoincrement%')"
    );
    execute(run, &insert)?;
    Ok(())
}
