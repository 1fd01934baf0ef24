use std::collections::HashMap;

use longshore_core::{Dependency, Job, JobData, JobDetail, JobFacts, JobId, ScheduleRecord, WaitingFacts};

use super::{Redaction, Secrets};

/// What is hidden in what a store says. Every field that can hold a part of a payload is here.
impl Redaction {
    /// The values that are hidden in the texts of a job: those of its documents and of others, which its detail lacks.
    pub(crate) fn secrets_of(&self, detail: &JobDetail, others: &[JobData]) -> Secrets {
        let saved = &detail.checkpoints;
        let stored = saved.checkpoint.iter().chain(saved.steps.iter().filter_map(|step| step.result.as_ref()));
        Secrets::of(self, documents(&detail.job).chain(stored).chain(others))
    }

    /// Hides fields in a job, and in its texts the values of its documents and those that are known beside them.
    pub(crate) fn hide_in_job(&self, job: &mut Job, beside: Option<&Secrets>) {
        if !self.is_empty() {
            let secrets = self.secrets_with(job, beside);
            self.hide_in_job_with(job, &secrets);
        }
    }

    /// Both are looked for at once: a value may be a part of another one, which would not be found without it.
    fn secrets_with(&self, job: &Job, beside: Option<&Secrets>) -> Secrets {
        let mut secrets = Secrets::of(self, documents(job));
        if let Some(beside) = beside {
            secrets.join(beside);
        }
        secrets
    }

    fn hide_in_job_with(&self, job: &mut Job, secrets: &Secrets) {
        self.hide(&mut job.job_data);
        job.result.iter_mut().chain(&mut job.metadata).for_each(|document| self.hide(document));
        for text in [
            &mut job.error_message,
            &mut job.last_error_traceback,
            &mut job.dead_letter_reason,
            &mut job.failure_type,
            &mut job.progress_message,
            &mut job.log_file_path,
            &mut job.unique_key,
            &mut job.limit_key,
        ] {
            secrets.hide(text);
        }
    }

    /// Hides fields in a job and what belongs to it, and these values in its texts.
    pub(crate) fn hide_in_detail(&self, detail: &mut JobDetail, secrets: &Secrets) {
        if self.is_empty() {
            return;
        }
        self.hide_in_job_with(&mut detail.job, secrets);
        for attempt in &mut detail.attempts {
            secrets.hide(&mut attempt.error_message);
            secrets.hide(&mut attempt.traceback);
        }
        detail.checkpoints.checkpoint.iter_mut().for_each(|document| self.hide(document));
        for step in &mut detail.checkpoints.steps {
            step.name = secrets.mask(&step.name);
            step.result.iter_mut().for_each(|document| self.hide(document));
        }
        self.hide_in_dependencies(&mut detail.dependencies);
    }

    pub(crate) fn hide_in_dependencies(&self, dependencies: &mut [Dependency]) {
        let results = dependencies.iter_mut().filter_map(|dependency| dependency.result.as_mut());
        results.for_each(|result| self.hide(result));
    }

    /// Hides fields in the jobs of facts, and in their texts also the values that are known beside their documents.
    pub(crate) fn hide_in_facts(&self, facts: &mut WaitingFacts, beside: &HashMap<JobId, Secrets>) {
        if self.is_empty() {
            return;
        }
        for JobFacts { job, limits, unmet, .. } in std::iter::once(&mut facts.job).chain(&mut facts.root) {
            let secrets = self.secrets_with(job, beside.get(&job.id));
            self.hide_in_job_with(job, &secrets);
            for limit in limits {
                self.hide_in_limit(limit);
                secrets.hide(&mut limit.key);
            }
            unmet.iter_mut().for_each(|unmet| self.hide_in_dependencies(unmet));
        }
    }

    pub(crate) fn hide_in_schedule(&self, record: &mut ScheduleRecord) {
        if self.is_empty() {
            return;
        }
        let secrets = self.secrets_of_schedule(record);
        if let Ok(definition) = &mut record.definition {
            let job = &mut definition.job;
            self.hide(&mut job.job_data);
            secrets.hide(&mut job.unique_key);
            secrets.hide(&mut job.limit_key);
        }
        if let Some(tick) = &mut record.last {
            tick.why = secrets.mask(&tick.why);
        }
    }

    /// The values that are hidden in what is said of a schedule.
    pub(crate) fn secrets_of_schedule(&self, record: &ScheduleRecord) -> Secrets {
        Secrets::of(self, record.definition.iter().map(|definition| &definition.job.job_data))
    }
}

fn documents(job: &Job) -> impl Iterator<Item = &JobData> {
    std::iter::once(&job.job_data).chain(&job.result).chain(&job.metadata)
}
