use longshore_core::{JobId, JobKeeper};
use rusqlite::{Connection, params};

use crate::database::column;

/// Foreign keys of the application that prevent the deletion of a job while a row refers to it.
///
/// They are checked before the deletion: a deferred foreign key would fail the commit, and with it the work of every
/// request in the transaction.
#[derive(Debug, Default)]
pub(crate) struct Keepers {
    references: Vec<Reference>,
}

#[derive(Debug)]
struct Reference {
    table: String,
    column: String,
}

impl Keepers {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let references = connection
            .prepare_cached(include_str!("../../sql/actions/select_keepers.sql"))?
            .query_map([], |row| Ok(Reference { table: column::text(row, 0)?, column: column::text(row, 1)? }))?
            .collect::<Result<_, _>>()?;
        Ok(Self { references })
    }

    /// Whether a row of another table refers to this job.
    pub(crate) fn keep(&self, connection: &Connection, id: JobId) -> rusqlite::Result<bool> {
        for reference in &self.references {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = ?1)", reference.table(), reference.column());
            if connection.prepare_cached(&sql)?.query_row([id.0], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tables that refer to ended jobs, with the number of jobs.
    pub(crate) fn tell(&self, connection: &Connection) -> rusqlite::Result<Vec<JobKeeper>> {
        let mut keepers = Vec::new();
        for reference in &self.references {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM job_queue WHERE status IN ('completed', 'cancelled') \
                 AND id IN (SELECT {} FROM {}) LIMIT ?1)",
                reference.column(),
                reference.table()
            );
            let jobs = connection.prepare(&sql)?.query_row(params![JobKeeper::JOBS_MAX], |row| column::size(row, 0))?;
            if jobs > 0 {
                keepers.push(JobKeeper { table: reference.table.clone(), column: reference.column.clone(), jobs });
            }
        }
        Ok(keepers)
    }
}

impl Reference {
    fn table(&self) -> String {
        quoted(&self.table)
    }

    fn column(&self) -> String {
        quoted(&self.column)
    }
}

/// A name as a quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
