use longshore_core::{Dependency, Job, JobData, JobDetail, JobFacts, ScheduleRecord, WaitingFacts};

use super::{Redaction, Secrets};

/// What is hidden in what a store says. Every field that can hold a part of a payload is here.
impl Redaction {
    /// The values that are hidden in the texts of a job.
    pub(crate) fn secrets_of(&self, detail: &JobDetail) -> Secrets {
        let saved = &detail.checkpoints;
        let stored = saved.checkpoint.iter().chain(saved.steps.iter().filter_map(|step| step.result.as_ref()));
        Secrets::of(self, documents(&detail.job).chain(stored))
    }

    pub(crate) fn hide_in_job(&self, job: &mut Job) {
        if !self.is_empty() {
            self.hide_in_job_with(job, &Secrets::of(self, documents(job)));
        }
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

    pub(crate) fn hide_in_detail(&self, detail: &mut JobDetail) {
        if self.is_empty() {
            return;
        }
        let secrets = self.secrets_of(detail);
        self.hide_in_job_with(&mut detail.job, &secrets);
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

    pub(crate) fn hide_in_facts(&self, facts: &mut WaitingFacts) {
        if self.is_empty() {
            return;
        }
        for JobFacts { job, limits, unmet, .. } in std::iter::once(&mut facts.job).chain(&mut facts.root) {
            let secrets = Secrets::of(self, documents(job));
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
