use std::collections::{BTreeMap, VecDeque};

use longshore_core::{Checksum, JobId, MovePhase, MovedJob, MovedSettings, Status, StoreError};

use super::copy::FIRST;
use super::{Mover, Place, Underway, counts};
use crate::error::MoveError;
use crate::report::MoveStep;

/// What is the same in both databases.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) moved: BTreeMap<Status, u64>,
    pub(super) checksum: String,
}

/// The jobs of one database by id, a page at a time.
struct Jobs<'m> {
    mover: &'m Mover,
    place: &'m Place,
    takes_ended: bool,
    page: VecDeque<MovedJob>,
    after: JobId,
}

impl Jobs<'_> {
    async fn next(&mut self) -> Result<Option<MovedJob>, StoreError> {
        if self.page.is_empty() {
            let request = self.mover.page(self.after, self.takes_ended);
            self.page = self.place.store.moved_jobs(request).await?.into();
        }
        let next = self.page.pop_front();
        if let Some(moved) = &next {
            self.after = moved.job.id;
        }
        Ok(next)
    }
}

impl Mover {
    /// Reads both databases from beginning to end, and compares every value of every job, and the counts of the new one.
    pub(super) async fn compare(&self, underway: &Underway) -> Result<Compared, MoveError> {
        self.listener.begins(MoveStep::Compare);
        let takes_ended = underway.to.takes_ended;
        let all = self.about_all(takes_ended).await?;
        let jobs = |place| Jobs { mover: self, place, takes_ended, page: VecDeque::new(), after: FIRST };
        let (mut here, mut there) = (jobs(&self.from), jobs(&self.to));
        // A queue that comes back finds ended jobs that had stayed.
        let has_kept = underway.to.before.as_ref().is_some_and(|state| state.phase == MovePhase::MovedAway);
        let (mut moved, mut checksum, mut passed) = (BTreeMap::<Status, u64>::new(), Checksum::default(), 0);
        while let Some(left) = here.next().await? {
            let id = left.job.id;
            let arrived = loop {
                match there.next().await? {
                    Some(arrived) if arrived.job.id < id && has_kept && is_kept(&arrived) => {}
                    arrived => break arrived,
                }
            };
            let arrived = arrived.ok_or(MoveError::Differs { id, found: "it has not arrived" })?;
            same(&left, &arrived)?;
            checksum.add_job(&arrived);
            *moved.entry(left.job.status).or_default() += 1;
            passed += 1;
            if passed % 1000 == 0 {
                self.listener.passes(MoveStep::Compare, passed, all);
            }
        }
        while let Some(more) = there.next().await? {
            if !(has_kept && is_kept(&more)) {
                return Err(MoveError::Differs { id: more.job.id, found: "it is in the new database alone" });
            }
        }
        self.listener.passes(MoveStep::Compare, passed, all);
        self.compare_settings().await?;
        self.compare_counts(&moved, has_kept).await?;
        Ok(Compared { moved, checksum: checksum.finish() })
    }

    async fn compare_settings(&self) -> Result<(), MoveError> {
        let (left, arrived) = (self.from.store.moved_settings().await?, self.to.store.moved_settings().await?);
        let checksum = |settings: &MovedSettings| {
            let mut checksum = Checksum::default();
            checksum.add_settings(settings);
            checksum.finish()
        };
        if checksum(&left) == checksum(&arrived) { Ok(()) } else { Err(MoveError::SettingsDiffer) }
    }

    /// What the new database shows without counting.
    async fn compare_counts(&self, moved: &BTreeMap<Status, u64>, has_kept: bool) -> Result<(), MoveError> {
        let counted = counts(&self.to).await?;
        for status in Status::ALL {
            let number = |of: &BTreeMap<Status, u64>| of.get(&status).copied().unwrap_or(0);
            let (found, expected) = (number(&counted), number(moved));
            let may_be_more = has_kept && matches!(status, Status::Completed | Status::Cancelled);
            if found != expected && !(may_be_more && found > expected) {
                return Err(MoveError::CountsDiffer { database: self.to.name.clone(), status, found, expected });
            }
        }
        Ok(())
    }
}

fn is_kept(moved: &MovedJob) -> bool {
    matches!(moved.job.status, Status::Completed | Status::Cancelled)
}

fn same(left: &MovedJob, arrived: &MovedJob) -> Result<(), MoveError> {
    let id = left.job.id;
    if arrived.job.id < id {
        return Err(MoveError::Differs { id: arrived.job.id, found: "it is in the new database alone" });
    }
    if arrived.job.id > id {
        return Err(MoveError::Differs { id, found: "it has not arrived" });
    }
    if left.job.status == Status::Running {
        return Err(MoveError::Differs { id, found: "it is running in the old database" });
    }
    if Checksum::of(left) != Checksum::of(arrived) {
        return Err(MoveError::Differs { id, found: "their checksums differ" });
    }
    Ok(())
}
