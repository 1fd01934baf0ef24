use std::num::NonZero;

use longshore_core::{
    Action, Actioned, Console, Health, IdRange, JobDetail, JobEdit, JobId, JobPage, JobPageRequest, LogEndRequest,
    LogPage, LogRequest, Maintained, Maintenance, MinuteStats, QueueChange, Selection, Stats, StoreFuture,
    WaitingFacts, WorkerRecord,
};

use super::{FaultStore, Operation};

impl<S: Console> Console for FaultStore<S> {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        self.meet(Operation::Read, move |inner| inner.job(id))
    }

    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        self.meet(Operation::Read, move |inner| inner.jobs(request))
    }

    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        self.meet(Operation::Read, move |inner| inner.count(selection))
    }

    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        self.meet(Operation::Act, move |inner| inner.act(selection, action))
    }

    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        self.meet(Operation::Act, move |inner| inner.edit(id, edit))
    }

    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        self.meet(Operation::Read, move |inner| inner.waiting_facts(id))
    }

    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        self.meet(Operation::Read, move |inner| inner.log(request))
    }

    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage> {
        self.meet(Operation::Read, move |inner| inner.log_end(request))
    }

    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        self.meet(Operation::Read, move |inner| inner.stats(minutes))
    }

    fn history(&self, minutes: u32, per: NonZero<u32>) -> StoreFuture<'_, Vec<MinuteStats>> {
        self.meet(Operation::Read, move |inner| inner.history(minutes, per))
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        self.meet(Operation::Read, move |inner| inner.workers())
    }

    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        self.meet(Operation::Act, move |inner| inner.change_queue(queue, change))
    }

    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        self.meet(Operation::Maintain, move |inner| inner.maintain(maintenance))
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        self.meet(Operation::Read, move |inner| inner.id_range())
    }

    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        self.meet(Operation::Act, move |inner| inner.take_id_range(range))
    }

    fn check_schema(&self) -> StoreFuture<'_, ()> {
        self.meet(Operation::Read, move |inner| inner.check_schema())
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        self.meet(Operation::Read, move |inner| inner.health())
    }
}
