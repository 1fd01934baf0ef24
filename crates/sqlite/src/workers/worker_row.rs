use std::time::Duration;

use longshore_core::{WorkerId, WorkerReading};
use rusqlite::Row;

use crate::database::column;

/// The liveness values of a worker's row, in the order of three statements.
#[derive(Clone, Debug)]
pub(crate) struct WorkerRow {
    pub(crate) worker_id: WorkerId,
    pub(crate) heartbeat_number: i64,
    pub(crate) lease: Duration,
    pub(crate) file: FileRecord,
}

/// The boot of the machine in which a worker started, and its liveness file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileRecord {
    pub(crate) boot_id: Option<String>,
    pub(crate) file_id: Option<i64>,
}

impl WorkerRow {
    pub(crate) fn reading(&self) -> WorkerReading<WorkerId> {
        let Self { worker_id, heartbeat_number, lease, .. } = self;
        WorkerReading { worker: worker_id.clone(), heartbeat_number: *heartbeat_number, lease: *lease }
    }

    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            worker_id: WorkerId::from_stored(&column::text(row, 0)?),
            heartbeat_number: column::integer(row, 1)?,
            lease: Duration::from_millis(column::size(row, 2)?),
            file: FileRecord::read(row, 3)?,
        })
    }
}

impl FileRecord {
    pub(crate) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { boot_id: column::optional_text(row, first)?, file_id: column::optional_integer(row, first + 1)? })
    }
}
