use longshore_core::{
    Action, Actioned, Console, Health, IdRange, JobDetail, JobEdit, JobId, JobPage, JobPageRequest, LogEndRequest,
    LogPage, LogRequest, Maintained, Maintenance, QueueChange, Selection, Stats, StoreFuture, WaitingFacts,
    WorkerRecord,
};

use crate::memory::MemoryStore;
use crate::memory::moving::Passing;

impl Console for MemoryStore {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        self.quietly(move |state, _| Ok(state.job_detail(id)))
    }

    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        self.quietly(move |state, _| Ok(state.jobs(&request)))
    }

    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        self.quietly(move |state, _| Ok(state.count(&selection)))
    }

    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            Ok(state.act(&selection, action, moment.now))
        })
    }

    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            state.edit(id, edit, moment)
        })
    }

    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        let observer = self.process;
        self.quietly(move |state, moment| Ok(state.waiting_facts(id, observer, moment)))
    }

    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        self.quietly(move |state, _| Ok(state.log(request)))
    }

    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage> {
        self.quietly(move |state, _| Ok(state.log_end(request)))
    }

    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        self.quietly(move |state, moment| Ok(state.stats(minutes, moment.now)))
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        let observer = self.process;
        self.quietly(move |state, moment| Ok(state.worker_records(observer, moment)))
    }

    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            match change {
                QueueChange::Pause => {
                    state.queues.entry(queue).or_default().get_or_insert(moment.now);
                }
                QueueChange::Resume => {
                    if let Some(paused_at) = state.queues.get_mut(&queue) {
                        *paused_at = None;
                        let rows = state.rows.values_mut().filter(|row| row.job.queue == queue);
                        rows.for_each(crate::memory::jobs::row::Row::become_news);
                    }
                }
            }
            Ok(())
        })
    }

    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        let process = self.process;
        self.quietly(move |state, moment| {
            state.pass(Passing::Never)?;
            let maintained = state.maintain(process, maintenance, moment.now);
            state.settle_workflows(crate::memory::workflows::Timeouts::Later, moment.now);
            Ok(maintained)
        })
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        self.quietly(move |state, _| Ok(IdRange::after(state.last_id)))
    }

    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        self.quietly(move |state, _| {
            if state.rows.is_empty() {
                // An id is never given again, so a database never goes back to a lower range.
                state.last_id = state.last_id.max(range.before_first());
            }
            Ok(IdRange::after(state.last_id))
        })
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        let observer = self.process;
        self.quietly(move |state, moment| Ok(state.health(observer, moment)))
    }
}
