use std::fmt;

use longshore_core::{Actioned, Actor, AppliedSchedules, Backend, Deed, DeedEnd, Enqueued, JobId, StoreError};

use crate::runtime::quiet::warning;
use crate::schedule::Backfilled;

/// How many things a deed has changed.
pub trait Touched {
    /// The number.
    fn touched(&self) -> u64;
}

impl Touched for () {
    fn touched(&self) -> u64 {
        1
    }
}

/// Whether there was such a thing, or whether it has changed.
impl Touched for bool {
    fn touched(&self) -> u64 {
        u64::from(*self)
    }
}

impl Touched for Actioned {
    fn touched(&self) -> u64 {
        self.touched
    }
}

impl Touched for AppliedSchedules {
    fn touched(&self) -> u64 {
        (self.added.len() + self.changed.len() + self.removed.len()) as u64
    }
}

/// The jobs that were made.
impl Touched for Backfilled {
    fn touched(&self) -> u64 {
        self.ticks.iter().filter(|tick| tick.job_id.is_some()).count() as u64
    }
}

/// What became of a schedule that should go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumedSchedule {
    /// Whether there is such a schedule.
    pub is_known: bool,
    /// Whether it was paused, so that something has changed.
    pub was_paused: bool,
}

impl Touched for ResumedSchedule {
    fn touched(&self) -> u64 {
        u64::from(self.is_known && self.was_paused)
    }
}

impl Touched for Enqueued {
    fn touched(&self) -> u64 {
        1
    }
}

impl Touched for JobId {
    fn touched(&self) -> u64 {
        1
    }
}

/// Does something by hand, with its entry in the trail. If the entry cannot be written, nothing is done.
pub async fn audited<T: Touched, E: From<StoreError> + fmt::Display>(
    store: &dyn Backend,
    actor: &Actor,
    deed: Deed,
    change: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let id = store.begin_deed(actor.clone(), deed).await?;
    let result = change.await;
    let end = match &result {
        Ok(done) => DeedEnd::Done(done.touched()),
        Err(error) => DeedEnd::Failed(error.to_string()),
    };
    if let Err(error) = store.end_deed(id, end).await {
        // What was done stays done; the entry says that its end is unknown.
        warning!(audit_id = id.0, %error, "cannot complete an entry of the audit trail");
    }
    result
}
