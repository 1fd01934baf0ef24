//! How many jobs of a queue, a type or a key run at once, and how often they start, over all processes and hosts.
//!
//! Give a [`LimitRule`] to a worker with [`Worker::limit`](crate::Worker::limit), or change the limits of a database at
//! run time with [`Queue::limits`](crate::Queue::limits). The guide is `docs/limits.md`.

use std::sync::Arc;

use longshore_core::{Backend, ChangeLimit, LimitsRequest, StoreError};

pub use longshore_core::{
    AppliedLimits, ApplyLimits, Arrival, InvalidKeyPointer, InvalidLimit, InvalidRate, KeyPointer, LimitPage,
    LimitPosition, LimitRow, LimitRule, LimitScope, LimitSelection, LimitSource, LimitSubject, Pace, Rate,
};

use crate::Queue;

/// How many limits are read at once.
const PAGE: u32 = 1000;

/// The limits of a database: what they hold now, and changes at run time.
///
/// ```
/// use longshore::limits::{LimitRule, LimitSelection, LimitSubject};
///
/// # async fn example(queue: &longshore::Queue) -> Result<(), Box<dyn std::error::Error>> {
/// let limits = queue.limits();
/// let rule = LimitRule { concurrency: Some(5), ..LimitRule::default() };
/// limits.set(LimitSubject::Type("sync".to_owned()), rule).await?;
/// for limit in limits.list(LimitSelection::All, 100).await? {
///     println!("{} of {:?} run", limit.running, limit.concurrency);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct QueueLimits {
    backend: Arc<dyn Backend>,
}

impl Queue {
    /// The limits of this database.
    ///
    /// ```
    /// # use longshore::limits::LimitSubject;
    /// # async fn example(queue: &longshore::Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.limits().unset(LimitSubject::Queue("api".to_owned())).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn limits(&self) -> QueueLimits {
        QueueLimits { backend: Arc::clone(self.backend()) }
    }
}

impl QueueLimits {
    /// The first limits of a selection and what they hold now, `max` at most: queues, then types, then the keys with jobs
    /// that run or wait.
    pub async fn list(&self, selection: LimitSelection, max: usize) -> Result<Vec<LimitRow>, StoreError> {
        let mut limits: Vec<LimitRow> = Vec::new();
        let mut after = None;
        loop {
            let limit = u32::try_from(max.saturating_sub(limits.len())).unwrap_or(PAGE).min(PAGE);
            if limit == 0 {
                return Ok(limits);
            }
            let page = self.backend.limit_page(LimitsRequest { selection: selection.clone(), after, limit }).await?;
            limits.extend(page.limits);
            after = page.next;
            if after.is_none() {
                return Ok(limits);
            }
        }
    }

    /// Sets a rule by hand. It wins over what programs apply, until it is unset. Returns whether anything has changed.
    pub async fn set(&self, subject: LimitSubject, rule: LimitRule) -> Result<bool, StoreError> {
        self.backend.change_limit(ChangeLimit { subject, rule: Some(rule) }).await
    }

    /// Removes the rule that was set by hand, so that the one that a program has applied holds again; where none was set by
    /// hand, removes that one. Returns whether anything has changed.
    pub async fn unset(&self, subject: LimitSubject) -> Result<bool, StoreError> {
        self.backend.change_limit(ChangeLimit { subject, rule: None }).await
    }

    /// Applies the rules of a program, as a worker does when it starts. Only reads if nothing differs.
    pub async fn apply(&self, apply: ApplyLimits) -> Result<AppliedLimits, StoreError> {
        self.backend.apply_limits(apply).await
    }
}
