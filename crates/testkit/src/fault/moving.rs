use longshore_core::{
    JobId, MoveChange, MoveState, MovedJob, MovedJobsRequest, MovedPart, MovedSettings, Moving, NameBounds, StoreFuture,
};

use super::{FaultStore, Operation};

impl<S: Moving> Moving for FaultStore<S> {
    fn move_state(&self) -> StoreFuture<'_, Option<MoveState>> {
        self.meet(Operation::Read, move |inner| inner.move_state())
    }

    fn change_move_state(&self, change: MoveChange) -> StoreFuture<'_, bool> {
        self.meet(Operation::Move, move |inner| inner.change_move_state(change))
    }

    fn moved_settings(&self) -> StoreFuture<'_, MovedSettings> {
        self.meet(Operation::Read, move |inner| inner.moved_settings())
    }

    fn moved_jobs(&self, request: MovedJobsRequest) -> StoreFuture<'_, Vec<MovedJob>> {
        self.meet(Operation::Read, move |inner| inner.moved_jobs(request))
    }

    fn keep_moved(&self, change: MoveChange, part: MovedPart) -> StoreFuture<'_, bool> {
        self.meet(Operation::Move, move |inner| inner.keep_moved(change, part))
    }

    fn drop_moved(&self, expected: MoveState, ids: Vec<JobId>) -> StoreFuture<'_, bool> {
        self.meet(Operation::Move, move |inner| inner.drop_moved(expected, ids))
    }

    fn name_bounds(&self) -> NameBounds {
        self.inner.name_bounds()
    }
}
