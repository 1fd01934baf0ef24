use longshore_core::{
    ClaimNumber, Dependent, DependentsRequest, JobDetail, JobId, JobPage, JobPageRequest, LogPage, LogRequest,
    Selection, StoreError, WaitingFacts,
};

use super::Shown;

/// Both databases can hold this number of a piece.
const PIECE_MAX: u32 = i32::MAX as u32;

impl Shown {
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        let mut detail = self.store().job(id).await?;
        detail.iter_mut().for_each(|detail| self.redaction.hide_in_detail(detail));
        Ok(detail)
    }

    pub(crate) async fn jobs(&self, request: JobPageRequest) -> Result<JobPage, StoreError> {
        let mut page = self.store().jobs(request).await?;
        page.jobs.iter_mut().for_each(|job| self.redaction.hide_in_job(job));
        Ok(page)
    }

    pub(crate) async fn count(&self, selection: Selection) -> Result<u64, StoreError> {
        self.store().count(selection).await
    }

    pub(crate) async fn waiting_facts(&self, id: JobId) -> Result<Option<WaitingFacts>, StoreError> {
        let mut facts = self.store().waiting_facts(id).await?;
        facts.iter_mut().for_each(|facts| self.redaction.hide_in_facts(facts));
        Ok(facts)
    }

    pub(crate) async fn dependents(&self, request: DependentsRequest) -> Result<Vec<Dependent>, StoreError> {
        self.store().dependents(request).await
    }

    /// The pieces of a log. A value may begin in one piece and end in the next one, so the piece before is read too.
    pub(crate) async fn log(&self, request: LogRequest) -> Result<LogPage, StoreError> {
        if self.redaction.is_empty() {
            return self.store().log(request).await;
        }
        let Some(detail) = self.store().job(request.id).await? else { return Ok(LogPage::default()) };
        let secrets = self.redaction.secrets_of(&detail.job);
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
