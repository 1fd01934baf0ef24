//! How the queue leaves this database for another one, or arrives in it.

pub(crate) mod arrive;
pub(crate) mod fence;
mod leave;
mod tokens;
mod workflow_rows;

use longshore_core::{
    JobId, MoveChange, MoveState, MovedJob, MovedJobsRequest, MovedPart, MovedSettings, Moving, NameBounds, StoreFuture,
};

use crate::store::PostgresStore;

impl Moving for PostgresStore {
    fn move_state(&self) -> StoreFuture<'_, Option<MoveState>> {
        self.run(
            "reading the state of a move",
            |parts| async move { fence::state(&*parts.pool.session().await?).await },
        )
    }

    fn change_move_state(&self, change: MoveChange) -> StoreFuture<'_, bool> {
        self.run("changing the state of a move", |parts| fence::change_state(parts, change))
    }

    fn moved_settings(&self) -> StoreFuture<'_, MovedSettings> {
        self.run("reading what moves with the jobs", leave::settings)
    }

    fn moved_jobs(&self, request: MovedJobsRequest) -> StoreFuture<'_, Vec<MovedJob>> {
        self.run("reading jobs to move", move |parts| leave::jobs(parts, request))
    }

    fn keep_moved(&self, change: MoveChange, part: MovedPart) -> StoreFuture<'_, bool> {
        self.run("writing what moves here", |parts| arrive::keep(parts, change, part))
    }

    fn drop_moved(&self, expected: MoveState, ids: Vec<JobId>) -> StoreFuture<'_, bool> {
        self.run("removing what had moved here", |parts| arrive::drop_jobs(parts, expected, ids))
    }

    fn name_bounds(&self) -> NameBounds {
        NameBounds::INDEXED
    }
}
