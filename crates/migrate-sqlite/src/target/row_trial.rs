//! Puts the rows of a table into an empty table of another shape, to learn which of them do not fit and which values
//! become others.

use std::collections::BTreeMap;

use longshore_migrate::{
    Loss,
    target::{RowTrial, TriedRows},
};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Statement, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{quoted, rebuild::columns, run as run_one, scratch::confine, stand_in::message};

/// What the rows that are there now mean for `trial`. Reads the database and writes only to a private one beside it,
/// which opens no other file.
pub(super) fn run(connection: &Connection, trial: &RowTrial) -> rusqlite::Result<TriedRows> {
    let old = columns(connection, &trial.table)?;
    let Some(shape) = shape(connection, trial)?.filter(|_| !old.is_empty()) else {
        return Ok(TriedRows::default());
    };
    // Without a name SQLite sets pages aside in a file that goes away, so a large table does not fill memory.
    let mut copy = Connection::open("")?;
    copy.pragma_update(None, "foreign_keys", false)?;
    confine(&mut copy)?;
    run_one(&copy, &shape)?;
    for index in &trial.indexes {
        // Over a column that only an earlier step adds; then no row has anything in it.
        let _ = run_one(&copy, index);
    }
    let new = columns(&copy, &trial.table)?;
    let is_kept = |column: &&String| new.iter().any(|other| other.eq_ignore_ascii_case(column));
    let kept: Vec<String> = old.iter().filter(is_kept).cloned().collect();
    if kept.is_empty() {
        return Ok(TriedRows::default());
    }
    run_one(&copy, "BEGIN")?;
    try_rows(connection, &copy, &trial.table, &kept)
}

/// The new shape, or the one that the table has.
fn shape(connection: &Connection, trial: &RowTrial) -> rusqlite::Result<Option<String>> {
    if let Some(shape) = &trial.shape {
        return Ok(Some(shape.clone()));
    }
    let query = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    connection.query_row(query, [&trial.table], |row| row.get(0)).optional()
}

fn try_rows(
    connection: &Connection,
    copy: &Connection,
    table: &str,
    columns: &[String],
) -> rusqlite::Result<TriedRows> {
    let names: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let mut select = connection.prepare(&format!("SELECT {} FROM {}", names.join(", "), quoted(table)))?;
    let mut insert = copy.prepare(&insertion(copy, table, columns)?)?;
    let mut counts: Vec<Values> = columns.iter().map(|_| Values::default()).collect();
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    let mut all = 0;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        all += 1;
        let before: Vec<ValueRef<'_>> =
            (0..columns.len()).map(|at| row.get_ref(at)).collect::<rusqlite::Result<_>>()?;
        match store(&mut insert, &before, &mut counts) {
            Ok(()) => {}
            Err(error) if is_refusal(&error) => *refused.entry(words(table, &message(&error))).or_default() += 1,
            Err(error) => return Err(error),
        }
        // A constraint with ON CONFLICT ROLLBACK has taken back every row before it.
        if copy.is_autocommit() {
            break;
        }
    }
    let mut changed: Vec<Loss> = Vec::new();
    for (column, values) in columns.iter().zip(&counts).filter(|(_, values)| values.changed > 0) {
        changed.push(Loss::values(table, column, values.all, values.all - values.changed));
    }
    if refused.is_empty() {
        // A constraint with ON CONFLICT IGNORE or REPLACE drops rows without an error.
        let left: i64 = copy.query_row(&format!("SELECT count(*) FROM {}", quoted(table)), [], |row| row.get(0))?;
        let left = u64::try_from(left).unwrap_or_default();
        changed.extend((left < all).then(|| Loss::rows(table, all, left)));
    }
    Ok(TriedRows { changed, refused: refused.into_iter().map(|(words, count)| (count, words)).collect() })
}

/// What there is in one column, NULL not counted.
#[derive(Debug, Default)]
struct Values {
    all: u64,
    changed: u64,
}

/// Stores one row and counts the values that come back as others.
fn store(insert: &mut Statement<'_>, before: &[ValueRef<'_>], counts: &mut [Values]) -> rusqlite::Result<()> {
    let values = before.iter().map(|value| ToSqlOutput::Borrowed(*value));
    let mut stored = insert.query(params_from_iter(values))?;
    let Some(row) = stored.next()? else {
        return Ok(());
    };
    for (at, (value, count)) in before.iter().zip(counts).enumerate() {
        count.all += u64::from(!matches!(value, ValueRef::Null));
        count.changed += u64::from(!is_same(*value, row.get_ref(at)?));
    }
    while stored.next()?.is_some() {}
    Ok(())
}

/// The statement that stores a row and gives it back as a later query would.
fn insertion(copy: &Connection, table: &str, columns: &[String]) -> rusqlite::Result<String> {
    let mut stored = Vec::new();
    for column in columns {
        let query = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE";
        let declared: String = copy.query_row(query, [table, column.as_str()], |row| row.get(0))?;
        let name = quoted(column);
        // RETURNING shows 5 for what a column of reals holds as 5.0.
        stored.push(if holds_reals(&declared) {
            format!("CASE WHEN typeof({name}) IN ('integer', 'real') THEN CAST({name} AS REAL) ELSE {name} END")
        } else {
            name
        });
    }
    let names: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let (table, names, stored) = (quoted(table), names.join(", "), stored.join(", "));
    Ok(format!("INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING {stored}"))
}

/// The rules of sqlite.org/datatype3.html, 3.1, as far as they lead to REAL.
fn holds_reals(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    has(&["REAL", "FLOA", "DOUB"]) && !has(&["INT", "CHAR", "CLOB", "TEXT", "BLOB"])
}

/// Whether nothing of a value is gone: '12' may become 12, whose text is the same; '012' may not.
fn is_same(before: ValueRef<'_>, after: ValueRef<'_>) -> bool {
    use ValueRef as V;
    match (before, after) {
        (V::Null, _) => true,
        (V::Integer(before), V::Integer(after)) => before == after,
        (V::Real(before), V::Real(after)) => before == after,
        (V::Text(before), V::Text(after)) | (V::Blob(before), V::Blob(after)) => before == after,
        // Without a fraction a real is the integer that it is written as.
        (V::Integer(integer), V::Real(real)) | (V::Real(real), V::Integer(integer)) => {
            format!("{real:.0}") == integer.to_string()
        }
        (V::Integer(integer), V::Text(text)) | (V::Text(text), V::Integer(integer)) => {
            integer.to_string().as_bytes() == text
        }
        (V::Text(text), V::Real(real)) => format!("{real:?}").as_bytes() == text,
        (V::Real(real), V::Text(text)) => {
            let read = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
            read == Some(real)
        }
        _ => false,
    }
}

fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// What is wrong with a row, in words behind the number of rows and their table.
fn words(table: &str, message: &str) -> String {
    let of_table = format!("{table}.");
    let columns = |names: &str| names.replace(&of_table, "");
    if let Some(names) = message.strip_prefix("UNIQUE constraint failed: ") {
        return format!("with the same {} as another one", columns(names));
    }
    if let Some(name) = message.strip_prefix("NOT NULL constraint failed: ") {
        return format!("without a value in {}", columns(name));
    }
    if let Some(check) = message.strip_prefix("CHECK constraint failed: ") {
        return format!("against CHECK {check}");
    }
    // cannot store TEXT value in INTEGER column author.balance
    match message.strip_prefix("cannot store ") {
        Some(value) => format!("with a {}", columns(value)),
        None => format!("that do not fit ({message})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(shape: &str, index: Option<&str>) -> TriedRows {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, u, r REAL);
                 INSERT INTO a VALUES (1, '12', 5, 1.0), (2, '00123', 5, 1.5), (3, '1e3', NULL, NULL);",
            )
            .unwrap();
        let indexes = index.map(str::to_owned).into_iter().collect();
        let shape = (!shape.is_empty()).then(|| shape.to_owned());
        run(&connection, &RowTrial { table: "a".to_owned(), shape, indexes }).unwrap()
    }

    #[test]
    fn a_value_whose_text_becomes_another_is_counted_by_its_column() {
        let found = tried("CREATE TABLE a (id INTEGER PRIMARY KEY, t INTEGER, u REAL, r INTEGER)", None);
        assert_eq!((found.changed, found.refused), (vec![Loss::values("a", "t", 3, 1)], Vec::new()));
        let found = tried("CREATE TABLE a (id INTEGER PRIMARY KEY, t REAL, u TEXT, r TEXT)", None);
        assert_eq!((found.changed, found.refused), (vec![Loss::values("a", "t", 3, 0)], Vec::new()));
    }

    #[test]
    fn rows_that_do_not_fit_are_counted_by_what_they_break() {
        let found = tried("CREATE TABLE a (id INTEGER PRIMARY KEY, t, u NOT NULL UNIQUE, r CHECK (r < 9))", None);
        let expected = [(1, "with the same u as another one"), (1, "without a value in u")];
        assert_eq!(found.refused, expected.map(|(count, words)| (count, words.to_owned())));
        let found = tried("CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, u TEXT, r INTEGER) STRICT", None);
        assert_eq!(found.refused, [(1, "with a REAL value in INTEGER column r".to_owned())]);
    }

    #[test]
    fn a_unique_index_is_tried_on_the_table_as_it_is() {
        let found = tried("", Some("CREATE UNIQUE INDEX a_u ON a (u)"));
        assert_eq!(found.refused, [(1, "with the same u as another one".to_owned())]);
    }
}
