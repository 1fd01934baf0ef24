use longshore::schedule::ScheduleError;
use longshore_core::{JobId, ScheduleRecord, SchedulesRequest, StoreError, TickPage, TicksRequest};

use super::Shown;

impl Shown {
    pub(crate) async fn schedules(&self, request: SchedulesRequest) -> Result<Vec<ScheduleRecord>, StoreError> {
        let mut records = self.store().schedules(request).await?;
        records.iter_mut().for_each(|record| self.redaction.hide_in_schedule(record));
        Ok(records)
    }

    /// One schedule.
    pub(crate) async fn schedule(&self, name: &str) -> Result<Option<ScheduleRecord>, StoreError> {
        Ok(self.schedules(of_name(name)).await?.pop())
    }

    pub(crate) async fn ticks(&self, request: TicksRequest) -> Result<TickPage, StoreError> {
        let name = request.schedule.clone();
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
        self.queue.schedules().run(name).await
    }

    pub(crate) async fn pause_schedule(&self, name: &str, reason: String) -> Result<bool, StoreError> {
        self.queue.schedules().pause(name, reason).await
    }

    pub(crate) async fn resume_schedule(&self, name: &str) -> Result<bool, StoreError> {
        self.queue.schedules().resume(name).await
    }

    pub(crate) async fn resume_schedule_and_catch_up(&self, name: &str) -> Result<bool, StoreError> {
        self.queue.schedules().resume_and_catch_up(name).await
    }
}

fn of_name(name: &str) -> SchedulesRequest {
    SchedulesRequest { names: Some(vec![name.to_owned()]), after: None, limit: 1 }
}
