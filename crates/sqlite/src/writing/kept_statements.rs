use std::cell::{RefCell, RefMut};

use rusqlite::{Connection, Params, Statement};

/// The statements of a lone enqueue. Taking one from the connection's cache and putting it back costs a tenth of its
/// transaction, so these stay outside the cache.
pub(crate) struct KeptStatements<'c> {
    connection: &'c Connection,
    begin: Kept<'c>,
    commit: Kept<'c>,
    schema_version: Kept<'c>,
    data_version: Kept<'c>,
    insert_job: Kept<'c>,
    insert_leased_job: Kept<'c>,
    add_depth: Kept<'c>,
}

/// Prepared when it is first needed.
type Kept<'c> = RefCell<Option<Statement<'c>>>;

impl<'c> KeptStatements<'c> {
    pub(crate) fn of(connection: &'c Connection) -> Self {
        Self {
            connection,
            begin: Kept::default(),
            commit: Kept::default(),
            schema_version: Kept::default(),
            data_version: Kept::default(),
            insert_job: Kept::default(),
            insert_leased_job: Kept::default(),
            add_depth: Kept::default(),
        }
    }

    pub(crate) fn begin(&self) -> rusqlite::Result<()> {
        self.get(&self.begin, "BEGIN IMMEDIATE")?.execute([]).map(|_| ())
    }

    pub(crate) fn commit(&self) -> rusqlite::Result<()> {
        self.get(&self.commit, "COMMIT")?.execute([]).map(|_| ())
    }

    /// The statement that creates one job.
    pub(crate) fn insert_job(&self) -> rusqlite::Result<RefMut<'_, Statement<'c>>> {
        self.get(&self.insert_job, include_str!("../sql/enqueue/insert_job.sql"))
    }

    /// The statement that creates one job with a lease for a worker.
    pub(crate) fn insert_leased_job(&self) -> rusqlite::Result<RefMut<'_, Statement<'c>>> {
        self.get(&self.insert_leased_job, include_str!("../sql/enqueue/insert_leased_job.sql"))
    }

    /// SQLite's counter of other connections' commits. Commits of this connection do not change it.
    pub(crate) fn data_version(&self) -> rusqlite::Result<i64> {
        self.get(&self.data_version, "PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Adds to one depth.
    pub(crate) fn add_depth(&self, values: impl Params) -> rusqlite::Result<()> {
        self.get(&self.add_depth, include_str!("../sql/upkeep/add_depth.sql"))?.execute(values).map(|_| ())
    }

    pub(crate) fn schema_version(&self) -> rusqlite::Result<i64> {
        self.get(&self.schema_version, "PRAGMA schema_version")?.query_row([], |row| row.get(0))
    }

    fn get<'k>(&self, kept: &'k Kept<'c>, sql: &str) -> rusqlite::Result<RefMut<'k, Statement<'c>>> {
        let kept = kept.borrow_mut();
        RefMut::filter_map(kept, Option::as_mut).or_else(|mut none| {
            *none = Some(self.connection.prepare(sql)?);
            Ok(RefMut::map(none, |kept| kept.as_mut().expect("it was prepared just now")))
        })
    }
}
