//! Every object with the statement that makes it.

use longshore_migrate::{
    schema::{ObjectKind, ObjectName},
    target::Definition,
};
use rusqlite::Connection;

use super::own_tables;

/// Shadow tables belong to their virtual table, which makes them itself.
const QUERY: &str = "
SELECT s.type, lower(s.name), lower(s.tbl_name), s.sql
FROM sqlite_schema s
LEFT JOIN pragma_table_list t ON t.schema = 'main' AND t.name = s.tbl_name
WHERE s.sql IS NOT NULL
  AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND t.type IS NOT 'shadow'
ORDER BY CASE s.type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, lower(s.name)";

/// Tables, indexes, views, triggers, each by name; without SQLite's own and without the ledger.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<Definition>> {
    let own = own_tables();
    let mut prepared = connection.prepare(QUERY)?;
    let found = prepared.query_map([], |row| {
        let (kind, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let object = match kind.as_str() {
            "table" => ObjectName::table(name),
            "view" => ObjectName::view(name),
            "index" => ObjectName::on(ObjectKind::Index, &table, name),
            _ => ObjectName::on(ObjectKind::Trigger, &table, name),
        };
        Ok((table, Definition { object, sql: row.get(3)? }))
    })?;
    let mut definitions = Vec::new();
    for row in found {
        let (table, definition) = row?;
        if !own.contains(&table) {
            definitions.push(definition);
        }
    }
    Ok(definitions)
}
