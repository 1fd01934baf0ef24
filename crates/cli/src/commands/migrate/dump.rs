use std::path::Path;

use longshore_migrate_sqlite::Access;
use serde::Serialize;

use super::{Absent, Site};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

/// The schema as SQL.
#[derive(Serialize)]
struct Dump {
    sql: String,
}

/// Whether the schema equals the committed file.
#[derive(Serialize)]
struct Comparison<'a> {
    ok: bool,
    file: &'a Path,
}

/// Prints the schema as SQL in a stable order.
pub(super) fn print(site: &Site<'_>) -> anyhow::Result<Exit> {
    let dump = Dump { sql: site.migrator(Access::Inspect, Absent::Refused)?.dump()? };
    site.context.output.result(&dump, |output| output.text(dump.sql.as_bytes()))?;
    Ok(Exit::Done)
}

/// Compares the schema with the committed file. Never writes to that file.
pub(super) fn check(site: &Site<'_>, file: &Path) -> anyhow::Result<Exit> {
    let unreadable = |source| CommandError::Unreadable { path: file.to_owned(), source };
    let committed = std::fs::read_to_string(file).map_err(unreadable)?;
    let ok = site.migrator(Access::Inspect, Absent::Refused)?.dump_agrees_with(&committed)?;
    site.context.output.result(&Comparison { ok, file }, |output| {
        let name = file.display();
        if ok {
            return output.line(format!("the schema matches {name}"));
        }
        let see = output.hint("longshore migrate dump");
        output.line(format!("the schema does not match {name}; see: {see} | diff {name} -"))
    })?;
    Ok(if ok { Exit::Done } else { Exit::SchemaDisagrees })
}
