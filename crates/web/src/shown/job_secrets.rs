use std::collections::HashMap;
use std::sync::Arc;

use longshore::backend::Backend;
use longshore_core::{DependenciesRequest, DependencyTarget, Job, JobData, JobDetail, JobId, StepName, StoreError};
use tokio::task::JoinSet;

use super::Shown;
use crate::Redaction;
use crate::redaction::Secrets;

/// How many bytes of long results of steps, and of results of dependencies, are read for one job. If it has more, its
/// texts are hidden as a whole.
const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many jobs of a page are read at once. A pool has few connections, and workers of this process need some.
const READ_AT_ONCE: usize = 2;

impl Shown {
    /// The values that are hidden in the texts of a job.
    pub(super) async fn secrets_of(&self, detail: &JobDetail) -> Result<Secrets, StoreError> {
        if self.redaction.is_empty() {
            return Ok(Secrets::default());
        }
        secrets_of(self.store(), &self.redaction, detail).await
    }

    /// Hides what is hidden in the jobs of a page. What their attempts have stored is read for those with a text that could
    /// repeat it.
    pub(super) async fn hide_in_jobs(&self, jobs: &mut [Job]) -> Result<(), StoreError> {
        if self.redaction.is_empty() {
            return Ok(());
        }
        let ids = jobs.iter().filter(|job| may_repeat(job)).map(|job| job.id).collect();
        let beside = self.secrets_of_jobs(ids).await?;
        for job in jobs {
            self.redaction.hide_in_job(job, beside.get(&job.id));
        }
        Ok(())
    }

    /// The same values for several jobs, a few of which are read at once.
    pub(super) async fn secrets_of_jobs(&self, ids: Vec<JobId>) -> Result<HashMap<JobId, Secrets>, StoreError> {
        let mut known = HashMap::new();
        if self.redaction.is_empty() {
            return Ok(known);
        }
        let (mut ids, mut reading) = (ids.into_iter(), JoinSet::new());
        loop {
            let room = READ_AT_ONCE - reading.len();
            for id in ids.by_ref().take(room) {
                reading.spawn(read(Arc::clone(self.queue.backend()), Arc::clone(&self.redaction), id));
            }
            let Some(joined) = reading.join_next().await else { return Ok(known) };
            let (id, secrets) = joined.map_err(|error| panicked(&error))??;
            known.insert(id, secrets);
        }
    }
}

/// Whether a text of a job could repeat what an attempt has stored or was given. Before the first attempt none can.
fn may_repeat(job: &Job) -> bool {
    let messages = [
        &job.error_message,
        &job.last_error_traceback,
        &job.dead_letter_reason,
        &job.failure_type,
        &job.progress_message,
        &job.log_file_path,
    ];
    let keys = [&job.unique_key, &job.limit_key];
    let has_run = job.claim_number.0 > 0;
    messages.into_iter().any(Option::is_some) || has_run && keys.into_iter().any(Option::is_some)
}

async fn read(store: Arc<dyn Backend>, redaction: Arc<Redaction>, id: JobId) -> Result<(JobId, Secrets), StoreError> {
    let secrets = match store.job(id).await? {
        Some(detail) => secrets_of(store.as_ref(), &redaction, &detail).await?,
        // It was deleted meanwhile, so nobody knows its values any more.
        None => Secrets::unknown(),
    };
    Ok((id, secrets))
}

async fn secrets_of(store: &dyn Backend, redaction: &Redaction, detail: &JobDetail) -> Result<Secrets, StoreError> {
    let Some(mut others) = long_results(store, detail).await? else { return Ok(Secrets::unknown()) };
    let Some(given) = given_results(store, detail).await? else { return Ok(Secrets::unknown()) };
    others.extend(given);
    Ok(redaction.secrets_of(detail, &others))
}

/// The results of steps that a detail leaves out because they are long; none if there are too many bytes of them.
async fn long_results(store: &dyn Backend, detail: &JobDetail) -> Result<Option<Vec<JobData>>, StoreError> {
    let long: Vec<_> = detail.checkpoints.steps.iter().filter(|step| step.result.is_none()).collect();
    let bytes: u64 = long.iter().map(|step| step.result_bytes).sum();
    if bytes > RESULT_BYTES_MAX as u64 {
        return Ok(None);
    }
    let mut results = Vec::with_capacity(long.len());
    for step in long {
        // Only plain SQL can store a step with a name by which it cannot be read.
        let Ok(name) = StepName::new(step.name.as_str()) else { return Ok(None) };
        results.extend(store.step_result(detail.job.id, name).await?);
    }
    Ok(Some(results))
}

/// The results of what the job waited for, which its attempts were given; none if there are too many bytes of them.
async fn given_results(store: &dyn Backend, detail: &JobDetail) -> Result<Option<Vec<JobData>>, StoreError> {
    let has_result = |target: &DependencyTarget| !matches!(target, DependencyTarget::Batch { .. });
    if !detail.dependencies.iter().any(|dependency| has_result(&dependency.on)) {
        return Ok(Some(Vec::new()));
    }
    let request = DependenciesRequest { id: detail.job.id, name: None, result_bytes_max: RESULT_BYTES_MAX };
    let dependencies = store.dependencies(request).await?;
    if dependencies.iter().any(|dependency| dependency.is_result_left_out) {
        return Ok(None);
    }
    Ok(Some(dependencies.into_iter().filter_map(|dependency| dependency.result).collect()))
}

fn panicked(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Panicked { database: "the database".into(), doing: "reading a job", message: error.to_string() }
}
