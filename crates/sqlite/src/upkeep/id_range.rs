use longshore_core::IdRange;
use rusqlite::Connection;

use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// The range of the last id that was given.
pub(crate) fn id_range(connection: &Connection) -> rusqlite::Result<Option<IdRange>> {
    let last = connection
        .prepare_cached(include_str!("../sql/upkeep/select_last_given_id.sql"))?
        .query_row([], |row| row.get("last_id"))?;
    Ok(IdRange::after(last))
}

/// Lets an empty database give ids of another range.
pub(crate) struct TakeIdRange {
    pub(crate) range: IdRange,
}

impl Work for TakeIdRange {
    type Answer = Option<IdRange>;
    const DOING: &'static str = "taking a range of ids";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Option<IdRange>, Fault> {
        let before_first = [self.range.before_first()];
        let raised = tx.connection.prepare_cached(include_str!("../sql/upkeep/take_id_range.sql"))?;
        if { raised }.execute(before_first)? == 0 {
            // The sequence has no row before the first job.
            tx.connection.prepare_cached(include_str!("../sql/upkeep/begin_given_ids.sql"))?.execute(before_first)?;
        }
        Ok(id_range(tx.connection)?)
    }
}
