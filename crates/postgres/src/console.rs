use std::num::NonZero;

use longshore_core::{
    Action, Actioned, Condition, Console, Health, IdRange, JobDetail, JobEdit, JobId, JobPage, JobPageRequest,
    LogEndRequest, LogPage, LogRequest, Maintained, Maintenance, MinuteStats, QueueChange, Selection, Stats,
    StoreFuture, WaitingFacts, WorkerRecord, WriteReading,
};

use crate::store::PostgresStore;
use crate::{jobs, upkeep, workers};

impl Console for PostgresStore {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        self.run("reading a job", move |parts| jobs::reading::job(parts, id))
    }

    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        self.run("listing jobs", |parts| jobs::reading::jobs(parts, request))
    }

    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        self.run("counting jobs", |parts| jobs::reading::count(parts, selection))
    }

    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        self.run_by_hand("changing jobs", move |parts| jobs::actions::act(parts, selection, action))
    }

    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        self.run_by_hand("editing a job", move |parts| jobs::actions::edit(parts, id, edit))
    }

    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        self.run("explaining a job", move |parts| upkeep::waiting_facts::waiting_facts(parts, id))
    }

    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        self.run("reading a log", move |parts| jobs::reading::log(parts, request))
    }

    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage> {
        self.run("reading the end of a log", move |parts| jobs::reading::log_end(parts, request))
    }

    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        self.run("reading the counts", move |parts| upkeep::stats::stats(parts, minutes))
    }

    fn history(&self, minutes: u32, per: NonZero<u32>) -> StoreFuture<'_, Vec<MinuteStats>> {
        self.run("reading what has ended", move |parts| upkeep::stats::history(parts, minutes, per))
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        self.run("listing workers", workers::records)
    }

    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        self.run_by_hand("changing a queue", move |parts| upkeep::change_queue(parts, queue, change))
    }

    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        self.run_by_hand("cleaning up", move |parts| upkeep::housekeeping::maintain(parts, maintenance))
    }

    fn writes(&self) -> Vec<WriteReading> {
        vec![self.parts.writes.read()]
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        self.run("reading the range of ids", upkeep::id_range::id_range)
    }

    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        self.run("taking a range of ids", move |parts| upkeep::id_range::take_id_range(parts, range))
    }

    /// Every request compares the schema first, so there is nothing more to do.
    fn check_schema(&self) -> StoreFuture<'_, ()> {
        self.run("checking the schema", |_| async { Ok(()) })
    }

    fn condition(&self) -> StoreFuture<'_, Condition> {
        self.run("reading the condition of the database", upkeep::health::condition)
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        self.run("reading the health of the database", upkeep::health::health)
    }
}
