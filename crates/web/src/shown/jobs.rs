use longshore_core::{
    ClaimNumber, Dependent, DependentsRequest, Job, JobDetail, JobId, JobPage, JobPageRequest, LogPage, LogRequest,
    Selection, StoreError, WaitingFacts,
};

use super::Shown;

/// Both databases can hold this number of a piece.
const PIECE_MAX: u32 = i32::MAX as u32;

impl Shown {
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        let mut detail = self.store().job(id).await?.filter(|detail| self.sees(&detail.job.queue));
        detail.iter_mut().for_each(|detail| self.redaction.hide_in_detail(detail));
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

    pub(crate) async fn jobs(&self, request: JobPageRequest) -> Result<JobPage, StoreError> {
        let (selection, _) = self.narrowed(request.selection).await?;
        let mut page = self.store().jobs(JobPageRequest { selection, ..request }).await?;
        page.jobs.iter_mut().for_each(|job| self.redaction.hide_in_job(job));
        Ok(page)
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
        facts.iter_mut().for_each(|facts| self.redaction.hide_in_facts(facts));
        Ok(facts)
    }

    pub(crate) async fn dependents(&self, request: DependentsRequest) -> Result<Vec<Dependent>, StoreError> {
        if !self.sees_job(request.id).await? {
            return Ok(Vec::new());
        }
        let mut dependents = self.store().dependents(request).await?;
        if let Some(visible) = &self.visible {
            let ids: Vec<JobId> = dependents.iter().map(|dependent| dependent.id).collect();
            let seen = self.seen_among(visible, &ids).await?;
            dependents.retain(|dependent| seen.contains(&dependent.id));
        }
        Ok(dependents)
    }

    /// The pieces of a log. A value may begin in one piece and end in the next one, so the piece before is read too.
    pub(crate) async fn log(&self, request: LogRequest) -> Result<LogPage, StoreError> {
        if self.redaction.is_empty() && self.visible.is_none() {
            return self.store().log(request).await;
        }
        let detail = self.store().job(request.id).await?.filter(|detail| self.sees(&detail.job.queue));
        let Some(detail) = detail else { return Ok(LogPage::default()) };
        let secrets = self.redaction.secrets_of(&detail);
        let before = |(claim, piece): (ClaimNumber, u32)| match piece.checked_sub(1) {
            Some(piece) => (claim, piece),
            None => (ClaimNumber(claim.0.saturating_sub(1)), PIECE_MAX),
        };
        let mut page = self.store().log(LogRequest { after: request.after.map(before), ..request }).await?;
        secrets.hide_in_log(&mut page.entries);
        page.entries.retain(|entry| request.after.is_none_or(|after| (entry.claim_number, entry.chunk_number) > after));
        Ok(page)
    }
}
