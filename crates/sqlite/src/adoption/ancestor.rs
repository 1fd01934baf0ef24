//! The table of another program as its catalog has it.

use longshore_migrate::target::{Session, TargetError};

use super::{
    COLUMNS, TABLE, number,
    shape::{Item, items},
    text,
};

/// A table `job_queue` that another program made.
#[derive(Debug)]
pub(super) struct Ancestor {
    /// Its statement.
    pub(super) sql: String,
    /// Its columns in their order.
    pub(super) columns: Vec<Column>,
    /// What stands in its statement.
    pub(super) items: Vec<Item>,
    /// Its indexes with their statements, by name.
    pub(super) indexes: Vec<Part>,
    /// Its triggers with their statements, by name.
    pub(super) triggers: Vec<Part>,
    /// Columns of ours that refer to a table of the application: `worker_id`, `workers`.
    pub(super) references: Vec<(String, String)>,
    /// How many rows it has.
    pub(super) rows: i64,
    /// The greatest id that was ever given, as far as it is known.
    pub(super) sequence: i64,
}

#[derive(Debug)]
pub(super) struct Column {
    /// In lower case.
    pub(super) name: String,
    pub(super) default: Option<String>,
    pub(super) is_generated: bool,
}

/// An index or a trigger.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) sql: String,
}

impl Ancestor {
    pub(super) fn read(session: &mut dyn Session) -> Result<Option<Self>, TargetError> {
        let parts = |session: &mut dyn Session, kind: &str| -> Result<Vec<Part>, TargetError> {
            let query = format!(
                "SELECT name, sql FROM sqlite_schema
                 WHERE tbl_name = '{TABLE}' COLLATE NOCASE AND type = '{kind}' AND sql IS NOT NULL ORDER BY name"
            );
            let rows = session.query(&query)?;
            Ok(rows.iter().filter_map(|row| Some(Part { name: text(row.first())?, sql: text(row.get(1))? })).collect())
        };
        let Some(table) = parts(session, "table")?.pop() else { return Ok(None) };
        let columns = columns(session)?;
        let is_there = |name: &str| columns.iter().any(|column| column.name == name);
        let ids = if is_there("id") { "max(0, coalesce(max(CAST(id AS INTEGER)), 0))" } else { "0" };
        let counted = session.query(&format!("SELECT count(*), {ids} FROM {TABLE}"))?;
        let counted = counted.first();
        Ok(Some(Self {
            items: items(&table.sql),
            sql: table.sql,
            indexes: parts(session, "index")?,
            triggers: parts(session, "trigger")?,
            references: references(session)?,
            rows: number(counted.and_then(|row| row.first())),
            sequence: number(counted.and_then(|row| row.get(1))).max(sequence(session)?),
            columns,
        }))
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|one| one.name == column)
    }

    /// The columns that the queue does not know, in their order.
    pub(super) fn extras(&self) -> Vec<&Column> {
        self.columns.iter().filter(|column| !COLUMNS.contains(&column.name.as_str())).collect()
    }

    /// The columns that can be written, in their order.
    pub(super) fn writable(&self) -> Vec<&str> {
        self.columns.iter().filter(|column| !column.is_generated).map(|column| column.name.as_str()).collect()
    }

    /// What a column is when nobody says it, where that is a plain number.
    pub(super) fn default_number(&self, column: &str) -> Option<i64> {
        let column = self.columns.iter().find(|one| one.name == column)?;
        column.default.as_deref()?.trim_matches(['(', ')', '\'', '"', ' ']).parse().ok()
    }

    /// The columns of ours in the order of the table, where it is not that of 001 and 002.
    pub(super) fn other_order(&self) -> Option<Vec<&str>> {
        let is_ours = |name: &&str| COLUMNS.contains(name);
        let found: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).filter(is_ours).collect();
        let usual: Vec<&str> = COLUMNS.into_iter().filter(|name| self.has(name)).collect();
        (found != usual).then_some(found)
    }
}

fn columns(session: &mut dyn Session) -> Result<Vec<Column>, TargetError> {
    // hidden: 1 is a hidden column of a virtual table, 2 and 3 are generated ones.
    let query = format!(
        "SELECT lower(name), dflt_value, hidden FROM pragma_table_xinfo('{TABLE}') WHERE hidden <> 1 ORDER BY cid"
    );
    let rows = session.query(&query)?;
    let column = |row: &Vec<_>| {
        let is_generated = number(row.get(2)) > 0;
        Some(Column { name: text(row.first())?, default: text(row.get(1)), is_generated })
    };
    Ok(rows.iter().filter_map(column).collect())
}

fn references(session: &mut dyn Session) -> Result<Vec<(String, String)>, TargetError> {
    let query = format!(
        "SELECT lower(\"from\"), \"table\" FROM pragma_foreign_key_list('{TABLE}')
         WHERE \"table\" <> '{TABLE}' COLLATE NOCASE ORDER BY 1"
    );
    let rows = session.query(&query)?;
    let found = rows.iter().filter_map(|row| Some((text(row.first())?, text(row.get(1))?)));
    Ok(found.filter(|(column, _)| COLUMNS.contains(&column.as_str())).collect())
}

fn sequence(session: &mut dyn Session) -> Result<i64, TargetError> {
    if !super::has_table(session, "sqlite_sequence")? {
        return Ok(0);
    }
    let query = format!("SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = '{TABLE}' COLLATE NOCASE");
    Ok(session.query(&query)?.first().map_or(0, |row| number(row.first())))
}
