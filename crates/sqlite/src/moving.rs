//! How the queue leaves this database for another one, or arrives in it.

pub(crate) mod arrive;
pub(crate) mod fence;
pub(crate) mod job_row;
pub(crate) mod leave;
mod workflow_rows;

use longshore_core::{
    JobId, MoveChange, MoveState, MovedJob, MovedJobsRequest, MovedPart, MovedSettings, Moving, NameBounds, StoreFuture,
};

use crate::moving::arrive::{DropMoved, KeepMoved};
use crate::moving::fence::ChangeMoveState;
use crate::store::SqliteStore;

impl Moving for SqliteStore {
    fn move_state(&self) -> StoreFuture<'_, Option<MoveState>> {
        let readers = &self.parts.readers;
        Box::pin(readers.run("reading the state of a move", |tx| Ok(fence::read_state(tx.connection)?)))
    }

    fn change_move_state(&self, change: MoveChange) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(ChangeMoveState { change }))
    }

    fn moved_settings(&self) -> StoreFuture<'_, MovedSettings> {
        let readers = &self.parts.readers;
        Box::pin(readers.run("reading what moves with the jobs", |tx| Ok(leave::settings(tx.connection)?)))
    }

    fn moved_jobs(&self, request: MovedJobsRequest) -> StoreFuture<'_, Vec<MovedJob>> {
        let readers = &self.parts.readers;
        Box::pin(readers.run("reading jobs to move", move |tx| Ok(leave::jobs(tx.connection, request)?)))
    }

    fn keep_moved(&self, change: MoveChange, part: MovedPart) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(KeepMoved { change, part }))
    }

    fn drop_moved(&self, expected: MoveState, ids: Vec<JobId>) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(DropMoved { expected, ids }))
    }

    fn name_bounds(&self) -> NameBounds {
        NameBounds::NONE
    }
}
