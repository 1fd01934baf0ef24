use longshore_core::{ClaimNumber, JobId, LogChunk, LogEntry};
use rusqlite::{Row, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::writing::session::WriteTx;

/// The attempt that a log belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace {
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
    pub(crate) attempt: u32,
}

/// A piece of a log.
pub(crate) fn log_entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let mut columns = Columns::of(row);
    Ok(LogEntry {
        attempt: columns.read(column::count)?,
        claim_number: ClaimNumber(columns.read(column::integer)?),
        chunk_number: columns.read(column::count)?,
        written_at: columns.read(column::timestamp)?,
        cut_bytes: columns.read(column::size)?,
        text: columns.read(column::text)?,
    })
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
