use longshore_core::{ClaimNumber, JobId, LogChunk};
use rusqlite::params;

use crate::writing::session::WriteTx;

/// The attempt that a log belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace {
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
    pub(crate) attempt: u32,
}

/// Writes new pieces of an attempt's log and deletes those that they replace. The caller checks the fence.
pub(crate) fn write_log(tx: &WriteTx<'_, '_>, place: LogPlace, chunks: &[LogChunk]) -> rusqlite::Result<()> {
    for chunk in chunks {
        if !chunk.replaces.is_empty() {
            tx.connection.prepare_cached(include_str!("../../sql/outcomes/drop_log_chunks.sql"))?.execute(params![
                place.id.0,
                place.claim_number.0,
                chunk.replaces.start,
                chunk.replaces.end
            ])?;
        }
        tx.connection.prepare_cached(include_str!("../../sql/outcomes/insert_log_chunk.sql"))?.execute(params![
            place.id.0,
            place.claim_number.0,
            chunk.number,
            place.attempt,
            tx.now.as_ms(),
            i64::try_from(chunk.cut_bytes).unwrap_or(i64::MAX),
            chunk.text
        ])?;
    }
    Ok(())
}
