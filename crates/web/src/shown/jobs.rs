use std::collections::HashMap;

use longshore_core::{
    ClaimNumber, DependentsRequest, Job, JobData, JobDetail, JobId, JobPage, JobPageRequest, LogEndRequest, LogPage,
    LogRequest, NewJob, PageCursor, Selection, Status, StoreError, WaitingFacts,
};
use longshore_report::DependentList;
use serde_json::Value;

use super::Shown;

/// The jobs of a page that a search may find.
pub(crate) struct Candidates {
    /// Each with its place on the page.
    pub(crate) jobs: Vec<(usize, Job)>,
    /// How many jobs the page has.
    pub(crate) read: usize,
    /// Behind which job the next page begins.
    pub(crate) next: Option<PageCursor>,
}

impl Shown {
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        let mut detail = self.store().job(id).await?.filter(|detail| self.sees(&detail.job.queue));
        if let Some(detail) = &mut detail {
            let secrets = self.secrets_of(detail).await?;
            self.redaction.hide_in_detail(detail, &secrets);
        }
        Ok(detail)
    }

    /// A job without its attempts and what else belongs to it. Where values are hidden, those of its steps are looked for
    /// in its messages, too, so it is read with all of them.
    pub(crate) async fn bare_job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        if !self.redaction.is_empty() {
            return Ok(self.job(id).await?.map(|detail| detail.job));
        }
        let selection = Selection::Jobs(vec![id]);
        let request = JobPageRequest { selection, after: None, limit: 1, looked_max: None };
        Ok(self.store().jobs(request).await?.jobs.pop().filter(|job| self.sees(&job.queue)))
    }

    /// Whether a job has the type, the queue and the payload of a new one. Also if it is gone, because it had them.
    pub(crate) async fn is_like(&self, id: JobId, new: &NewJob) -> Result<bool, StoreError> {
        let selection = Selection::Jobs(vec![id]);
        let request = JobPageRequest { selection, after: None, limit: 1, looked_max: None };
        let is_like = |job: &Job| {
            job.job_type == new.job_type && job.queue == new.queue && is_same_document(&job.job_data, &new.job_data)
        };
        Ok(self.store().jobs(request).await?.jobs.first().is_none_or(is_like))
    }

    pub(crate) async fn jobs(&self, request: JobPageRequest) -> Result<JobPage, StoreError> {
        let mut page = self.unhidden_page(request).await?;
        self.hide_in_jobs(&mut page.jobs).await?;
        Ok(page)
    }

    /// The jobs of a page that a search may find. `may_match` sees each job as its own documents alone hide it, which needs
    /// no other read; only for those that it lets through is the rest read.
    pub(crate) async fn candidates(
        &self,
        request: JobPageRequest,
        may_match: &(dyn Fn(&Job) -> bool + Sync),
    ) -> Result<Candidates, StoreError> {
        let JobPage { jobs, next } = self.unhidden_page(request).await?;
        let read = jobs.len();
        let let_through = |job: &Job| {
            if self.redaction.is_empty() {
                return may_match(job);
            }
            let mut hidden = job.clone();
            self.redaction.hide_in_job(&mut hidden, None);
            may_match(&hidden)
        };
        let (places, mut jobs): (Vec<usize>, Vec<Job>) =
            jobs.into_iter().enumerate().filter(|(_, job)| let_through(job)).unzip();
        self.hide_in_jobs(&mut jobs).await?;
        Ok(Candidates { jobs: places.into_iter().zip(jobs).collect(), read, next })
    }

    /// The statuses of those of these jobs that there are, at most a page of them.
    pub(crate) async fn statuses(&self, ids: &[JobId]) -> Result<HashMap<JobId, Status>, StoreError> {
        let (selection, limit) = (Selection::Jobs(ids.to_vec()), u32::try_from(ids.len()).unwrap_or(u32::MAX));
        let page = self.unhidden_page(JobPageRequest { selection, after: None, limit, looked_max: None }).await?;
        Ok(page.jobs.into_iter().map(|job| (job.id, job.status)).collect())
    }

    /// A page as the store has it: its jobs must not get out before [`Shown::hide_in_jobs`].
    async fn unhidden_page(&self, request: JobPageRequest) -> Result<JobPage, StoreError> {
        let (selection, _) = self.narrowed(request.selection).await?;
        self.store().jobs(JobPageRequest { selection, ..request }).await
    }

    pub(crate) async fn count(&self, selection: Selection) -> Result<u64, StoreError> {
        self.store().count(self.narrowed(selection).await?.0).await
    }

    pub(crate) async fn waiting_facts(&self, id: JobId) -> Result<Option<WaitingFacts>, StoreError> {
        let mut facts = self.store().waiting_facts(id).await?.filter(|facts| self.sees(&facts.job.job.queue));
        if let (Some(visible), Some(facts)) = (&self.visible, &mut facts) {
            // What keeps a job of another queue is not told; that this one waits for it is.
            facts.root = facts.root.take().filter(|root| visible.queues.contains(&root.job.queue));
            let job_type = facts.job.job.job_type.clone();
            facts.workers.iter_mut().for_each(|worker| visible.narrow_facts(worker, &job_type));
        }
        if let Some(facts) = &mut facts {
            let ids = std::iter::once(&facts.job).chain(&facts.root).map(|facts| facts.job.id).collect();
            let beside = self.secrets_of_jobs(ids).await?;
            self.redaction.hide_in_facts(facts, &beside);
        }
        Ok(facts)
    }

    /// At most as many as requested, and behind which one the next page begins.
    pub(crate) async fn dependents(&self, request: DependentsRequest) -> Result<DependentList, StoreError> {
        if !self.sees_job(request.id).await? {
            return Ok(DependentList::default());
        }
        // One more than requested shows whether there is a next page.
        let mut jobs = self.store().dependents(DependentsRequest { limit: request.limit + 1, ..request }).await?;
        let has_more = jobs.len() > request.limit as usize;
        jobs.truncate(request.limit as usize);
        let next = jobs.last().filter(|_| has_more).map(|job| job.id);
        if let Some(visible) = &self.visible {
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let seen = self.seen_among(visible, &ids).await?;
            jobs.retain(|job| seen.contains(&job.id));
        }
        Ok(DependentList { jobs, next })
    }

    /// The pieces of a log. A value may begin in one piece and end in the next one, so the piece before is read too.
    pub(crate) async fn log(&self, request: LogRequest) -> Result<LogPage, StoreError> {
        if self.redaction.is_empty() && self.visible.is_none() {
            return self.store().log(request).await;
        }
        let detail = self.store().job(request.id).await?.filter(|detail| self.sees(&detail.job.queue));
        let Some(detail) = detail else { return Ok(LogPage::default()) };
        let secrets = self.secrets_of(&detail).await?;
        let before = |(claim, piece): (ClaimNumber, u32)| match piece.checked_sub(1) {
            Some(piece) => (claim, piece),
            None => (ClaimNumber(claim.0.saturating_sub(1)), LogRequest::PIECE_MAX),
        };
        let mut page = self.store().log(LogRequest { after: request.after.map(before), ..request }).await?;
        secrets.hide_in_log(&mut page.entries);
        page.entries.retain(|entry| request.after.is_none_or(|after| (entry.claim_number, entry.chunk_number) > after));
        Ok(page)
    }

    /// The end of the log of one attempt. Of a hidden value that begins before it, the rest is found by its end.
    pub(crate) async fn log_end(&self, request: LogEndRequest) -> Result<LogPage, StoreError> {
        if self.redaction.is_empty() && self.visible.is_none() {
            return self.store().log_end(request).await;
        }
        let detail = self.store().job(request.id).await?.filter(|detail| self.sees(&detail.job.queue));
        let Some(detail) = detail else { return Ok(LogPage::default()) };
        let secrets = self.secrets_of(&detail).await?;
        let mut page = self.store().log_end(request).await?;
        secrets.hide_in_log(&mut page.entries);
        Ok(page)
    }
}

/// Whether two documents say the same. White space and the order of fields do not count.
fn is_same_document(one: &JobData, other: &JobData) -> bool {
    let parsed = |data: &JobData| serde_json::from_str::<Value>(data.as_str()).ok();
    one.as_str() == other.as_str() || parsed(one).is_some_and(|one| parsed(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_compared_by_what_they_say() {
        let is_same =
            |one: &str, other: &str| is_same_document(&JobData::parse(one).unwrap(), &JobData::parse(other).unwrap());
        assert!(is_same(r#"{"a": 1, "b": [null]}"#, r#"{"b":[null],"a":1}"#));
        assert!(is_same("1e400", "1e400"), "a number that no double holds");
        assert!(!is_same("1e400", "1e401"));
        assert!(!is_same(r#"{"n": 9007199254740993}"#, r#"{"n": 9007199254740992}"#));
        assert!(!is_same("{}", "null"));
    }
}
