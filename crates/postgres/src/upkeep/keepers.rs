use std::collections::BTreeSet;

use longshore_core::{JobId, JobKeeper};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::session::columns::Columns;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::Session;

/// How many rows of a table of the application are read to say how many ended jobs it refers to.
const ROWS_MAX: u32 = 100_000;

/// Foreign keys of the application that prevent the deletion of a job while a row refers to it.
#[derive(Debug, Default)]
pub(crate) struct Keepers {
    references: Vec<Reference>,
}

#[derive(Debug)]
struct Reference {
    /// Quoted where needed, and with its schema.
    table: String,
    quoted_column: String,
    column: String,
    /// Whether we may read the table.
    is_readable: bool,
}

impl Keepers {
    pub(crate) async fn read(session: &Session) -> Result<Self, Error> {
        let jobs = in_schema("longshore.job", session.schema()).into_owned();
        let mut references = Vec::new();
        for row in session.query(sql!("upkeep/select_keepers"), &[(&jobs, Type::TEXT)]).await? {
            let columns = &mut Columns::of(&row);
            references.push(Reference {
                table: columns.read()?,
                quoted_column: columns.read()?,
                column: columns.read()?,
                is_readable: columns.read()?,
            });
        }
        Ok(Self { references })
    }

    /// Those of the jobs that a row of another table refers to. A table that we may not read is passed over: then the
    /// deletion finds out.
    pub(crate) async fn kept(&self, session: &Session, ids: &[JobId]) -> Result<BTreeSet<JobId>, Error> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut kept = BTreeSet::new();
        for Reference { table, quoted_column, .. } in self.readable() {
            let sql = format!(
                "SELECT id FROM unnest($1::bigint[]) AS jobs (id) \
                 WHERE EXISTS (SELECT 1 FROM {table} WHERE {quoted_column} = jobs.id)"
            );
            for row in session.client.query_typed(&sql, &[(&ids, Type::INT8_ARRAY)]).await? {
                kept.insert(JobId(row.try_get(0)?));
            }
        }
        Ok(kept)
    }

    /// The tables that refer to ended jobs, with the number of jobs, counted up to a limit.
    pub(crate) async fn tell(&self, session: &Session) -> Result<Vec<JobKeeper>, Error> {
        let ended = in_schema("longshore.ended", session.schema()).into_owned();
        let mut keepers = Vec::new();
        for Reference { table, quoted_column, column, .. } in self.readable() {
            let sql = format!(
                "SELECT count(*) FROM (\
                     SELECT 1 FROM (\
                         SELECT DISTINCT id FROM (\
                             SELECT {quoted_column}::bigint AS id FROM {table} WHERE {quoted_column} IS NOT NULL \
                             LIMIT {ROWS_MAX}\
                         ) AS sample\
                     ) AS referred \
                     CROSS JOIN LATERAL (\
                         SELECT 1 FROM {ended} WHERE id = referred.id AND status <> 3 LIMIT 1\
                     ) AS ended \
                     LIMIT {}\
                 ) AS jobs",
                JobKeeper::JOBS_MAX
            );
            let rows = session.client.query_typed(&sql, &[]).await?;
            let jobs = Columns::of(&rows[0]).size()?;
            if jobs > 0 {
                keepers.push(JobKeeper { table: table.clone(), column: column.clone(), jobs });
            }
        }
        Ok(keepers)
    }

    fn readable(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|reference| reference.is_readable)
    }
}
