use longshore::backend::ResumedSchedule;
use longshore::schedule::ScheduleError;
use longshore_core::{JobId, ScheduleRecord, SchedulesRequest, StoreError, TickPage, TicksRequest};

use super::Shown;

/// How many schedules are read at once for a user of some queues.
const PAGE: u32 = 1000;
/// The queue of the jobs of a schedule that names none.
const DEFAULT_QUEUE: &str = "default";
const UNKNOWN: ResumedSchedule = ResumedSchedule { is_known: false, was_paused: false };

impl Shown {
    pub(crate) async fn schedules(&self, request: SchedulesRequest) -> Result<Vec<ScheduleRecord>, StoreError> {
        let mut records = self.read_schedules(request).await?;
        records.iter_mut().for_each(|record| self.redaction.hide_in_schedule(record));
        Ok(records)
    }

    /// As many as were asked for, if there are so many that the user sees.
    async fn read_schedules(&self, mut request: SchedulesRequest) -> Result<Vec<ScheduleRecord>, StoreError> {
        if self.sees_all() {
            return self.store().schedules(request).await;
        }
        let limit = request.limit as usize;
        // Few of them may be seen.
        request.limit = PAGE;
        let mut seen: Vec<ScheduleRecord> = Vec::new();
        loop {
            let page = self.store().schedules(request.clone()).await?;
            let is_last = page.len() < PAGE as usize;
            request.after = page.last().map(|record| record.name.clone());
            seen.extend(page.into_iter().filter(|record| self.sees_schedule(record)));
            if is_last || seen.len() >= limit {
                seen.truncate(limit);
                return Ok(seen);
            }
        }
    }

    /// Whether the jobs of a schedule are in a queue that the user sees. It is not known of a definition that is not
    /// understood.
    pub(super) fn sees_schedule(&self, record: &ScheduleRecord) -> bool {
        let queue = record.definition.as_ref().map(|it| it.job.queue.as_deref().unwrap_or(DEFAULT_QUEUE));
        self.sees_all() || queue.is_ok_and(|queue| self.sees(queue))
    }

    /// One schedule.
    pub(crate) async fn schedule(&self, name: &str) -> Result<Option<ScheduleRecord>, StoreError> {
        Ok(self.schedules(of_name(name)).await?.pop())
    }

    /// Whether the user sees the schedule of this name. Whoever sees all queues does, even if there is none.
    async fn sees_schedule_named(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.sees_all() || self.schedule(name).await?.is_some())
    }

    pub(crate) async fn ticks(&self, request: TicksRequest) -> Result<TickPage, StoreError> {
        let name = request.schedule.clone();
        if !self.sees_schedule_named(&name).await? {
            return Ok(TickPage { ticks: Vec::new(), next: None });
        }
        let mut page = self.store().ticks(request).await?;
        if self.redaction.is_empty() || page.ticks.is_empty() {
            return Ok(page);
        }
        // Why a tick made no job may repeat what was wrong with the payload.
        for record in self.store().schedules(of_name(&name)).await? {
            let secrets = self.redaction.secrets_of_schedule(&record);
            page.ticks.iter_mut().for_each(|tick| tick.why = secrets.mask(&tick.why));
        }
        Ok(page)
    }

    /// Makes a job of a schedule now.
    pub(crate) async fn run_schedule(&self, name: &str) -> Result<JobId, ScheduleError> {
        if !self.sees_schedule_named(name).await? {
            return Err(ScheduleError::NotFound { name: name.to_owned() });
        }
        self.queue.schedules().run(name).await
    }

    pub(crate) async fn pause_schedule(&self, name: &str, reason: String) -> Result<bool, StoreError> {
        Ok(self.sees_schedule_named(name).await? && self.queue.schedules().pause(name, reason).await?)
    }

    pub(crate) async fn resume_schedule(&self, name: &str) -> Result<ResumedSchedule, StoreError> {
        let Some(record) = self.schedule(name).await? else { return Ok(UNKNOWN) };
        let is_known = self.queue.schedules().resume(name).await?;
        Ok(ResumedSchedule { is_known, was_paused: record.paused_at.is_some() })
    }

    pub(crate) async fn resume_schedule_and_catch_up(&self, name: &str) -> Result<ResumedSchedule, StoreError> {
        let Some(record) = self.schedule(name).await? else { return Ok(UNKNOWN) };
        let is_known = self.queue.schedules().resume_and_catch_up(name).await?;
        Ok(ResumedSchedule { is_known, was_paused: record.paused_at.is_some() })
    }
}

fn of_name(name: &str) -> SchedulesRequest {
    SchedulesRequest { names: Some(vec![name.to_owned()]), after: None, limit: 1 }
}
