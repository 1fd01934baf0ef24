use std::collections::HashSet;
use std::sync::Arc;

use longshore::schedule::Finding;
use longshore_core::{
    Health, JobId, LimitScope, LimitSelection, LimitsRequest, ScheduleRecord, SchedulesRequest, StoreError,
};

use super::Shown;
use super::visible::Visible;
use crate::diagnosis::Diagnosis;

/// How many schedules and limits are looked at, as `doctor` does.
const LOOKED_AT: u32 = 1000;

impl Shown {
    /// What is wrong in all queues, to be narrowed for each of several users.
    pub(crate) async fn diagnosis_of_all_queues(&self) -> Result<Diagnosis, StoreError> {
        let all = Self { visible: None, ..self.clone() };
        let health = all.store().health().await?;
        let mut schedules = Vec::new();
        let request = SchedulesRequest { names: None, after: None, limit: LOOKED_AT };
        for mut record in all.store().schedules(request).await? {
            let found = all.findings_of(&record).await?;
            if !found.is_empty() || record.paused_at.is_some() {
                all.redaction.hide_in_schedule(&mut record);
                schedules.push((record, found));
            }
        }
        let request = LimitsRequest { selection: LimitSelection::Saturated, after: None, limit: LOOKED_AT };
        let saturated = all.limit_page(request).await?.limits;
        Ok(Diagnosis { health, schedules, saturated, schema: None })
    }

    /// What is wrong with a schedule that nothing is hidden in yet.
    async fn findings_of(&self, record: &ScheduleRecord) -> Result<Vec<Finding>, StoreError> {
        let mut found = self.queue.schedules().findings_of(record).await?;
        if !self.redaction.is_empty() && !found.is_empty() {
            // Why a tick made no job may repeat what was wrong with the payload.
            let secrets = self.redaction.secrets_of_schedule(record);
            found.iter_mut().for_each(|finding| finding.message = secrets.mask(&finding.message));
        }
        Ok(found)
    }

    /// What the user sees of what is wrong.
    pub(crate) async fn narrowed_diagnosis(&self, all: Arc<Diagnosis>) -> Result<Arc<Diagnosis>, StoreError> {
        let Some(visible) = &self.visible else { return Ok(all) };
        let (stuck, long) = (&all.health.stuck, &all.health.long_attempts);
        let ids: Vec<JobId> = stuck.iter().map(|job| job.id).chain(long.iter().map(|attempt| attempt.id)).collect();
        let seen = self.seen_among(visible, &ids).await?;
        let schedules = all.schedules.iter().filter(|(record, _)| self.sees_schedule(record)).cloned().collect();
        // Types and keys count the jobs of all queues.
        let is_seen = |scope, name: &str| scope == LimitScope::Queue && self.sees(name);
        let saturated = all.saturated.iter().filter(|row| is_seen(row.scope, &row.name)).cloned().collect();
        let health = visible.narrowed_health(&all.health, &seen);
        Ok(Arc::new(Diagnosis { health, schedules, saturated, schema: None }))
    }
}

impl Visible {
    /// The facts about the queues of the user. Those about the whole database are left out.
    fn narrowed_health(&self, all: &Health, seen: &HashSet<JobId>) -> Health {
        Health {
            now: all.now,
            latest_record_at: None,
            local: None,
            server: None,
            queues: all.queues.iter().filter(|queue| self.queues.contains(&queue.queue)).cloned().collect(),
            backlog: all.backlog.iter().filter(|of_type| self.queues.contains(&of_type.queue)).cloned().collect(),
            dead_workers: Vec::new(),
            known_job_types: all.known_job_types.clone(),
            living_workers: all.living_workers,
            stuck: all.stuck.iter().filter(|job| seen.contains(&job.id)).copied().collect(),
            keepers: Vec::new(),
            broken_keys: Vec::new(),
            long_attempts: all.long_attempts.iter().filter(|attempt| seen.contains(&attempt.id)).cloned().collect(),
            dead_letters: 0,
            dead_letters_last_hour: 0,
            moving: None,
        }
    }
}
