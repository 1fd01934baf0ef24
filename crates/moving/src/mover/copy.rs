use longshore_core::{JobId, MoveChange, MovePhase, MoveState, MovedPart};

use super::names::Names;
use super::{Mover, Underway, counts};
use crate::error::MoveError;
use crate::report::MoveStep;

/// Before every job: plain SQL may give any id.
pub(super) const FIRST: JobId = JobId(i64::MIN);

impl Mover {
    /// Removes what an earlier move left behind in the new database: the queue came from there, and the copies are older
    /// than what comes back. Ended jobs that had stayed there are kept.
    pub(super) async fn clear_stale(&self, underway: &mut Underway) -> Result<(), MoveError> {
        let Some(left) = underway.to.before.as_ref().filter(|state| state.phase == MovePhase::MovedAway) else {
            return Ok(());
        };
        if underway.to.has_settings {
            return Ok(());
        }
        self.listener.begins(MoveStep::Clear);
        self.clear(&underway.to, left.takes_ended).await?;
        Ok(())
    }

    /// Removes the jobs of the new database that belong to a move. Returns their number.
    pub(super) async fn clear(&self, state: &MoveState, takes_ended: bool) -> Result<u64, MoveError> {
        let mut removed = 0;
        loop {
            // Always from the beginning: those that were found are gone.
            let page = self.to.store.moved_jobs(self.page(FIRST, takes_ended)).await?;
            if page.is_empty() {
                return Ok(removed);
            }
            removed += page.len() as u64;
            self.drop_jobs(state, page.iter().map(|moved| moved.job.id).collect()).await?;
            self.listener.passes(MoveStep::Clear, removed, removed);
        }
    }

    pub(super) async fn drop_jobs(&self, state: &MoveState, ids: Vec<JobId>) -> Result<(), MoveError> {
        let is_expected = self.to.store.drop_moved(state.clone(), ids).await?;
        if is_expected { Ok(()) } else { Err(self.raced()) }
    }

    /// Copies what is not there yet, page by page. Each page is one transaction with the place up to which it reaches.
    pub(super) async fn copy(&self, underway: &mut Underway) -> Result<(), MoveError> {
        self.listener.begins(MoveStep::Copy);
        if !underway.to.has_settings {
            let settings = self.from.store.moved_settings().await?;
            let next = MoveState { has_settings: true, ..underway.to.clone() };
            self.keep(underway, next, MovedPart::Settings(Box::new(settings))).await?;
        }
        let all = self.about_all(underway.to.takes_ended).await?;
        let mut copied = self.to.store.count(longshore_core::Selection::from(longshore_core::Filter::all())).await?;
        loop {
            let after = underway.to.copied_to.unwrap_or(FIRST);
            let page = self.from.store.moved_jobs(self.page(after, underway.to.takes_ended)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            // One may have been enqueued since all were looked at.
            let mut names = Names::new(self.to.store.name_bounds());
            names.look_at(&page);
            names.refuse(&self.to.name)?;
            copied += page.len() as u64;
            let next = MoveState { copied_to: Some(last.job.id), ..underway.to.clone() };
            self.keep(underway, next, MovedPart::Jobs(page)).await?;
            self.listener.passes(MoveStep::Copy, copied, all);
        }
    }

    async fn keep(&self, underway: &mut Underway, next: MoveState, part: MovedPart) -> Result<(), MoveError> {
        let change = MoveChange { expected: Some(underway.to.clone()), next: Some(next.clone()) };
        if !self.to.store.keep_moved(change, part).await? {
            return Err(self.raced());
        }
        underway.to = next;
        Ok(())
    }

    /// How many jobs move, for people who wait.
    pub(super) async fn about_all(&self, takes_ended: bool) -> Result<u64, MoveError> {
        use longshore_core::Status::{Cancelled, Completed};
        let counted = counts(&self.from).await?;
        let moving = counted.iter().filter(|(status, _)| takes_ended || !matches!(**status, Completed | Cancelled));
        Ok(moving.map(|(_, jobs)| jobs).sum())
    }
}
