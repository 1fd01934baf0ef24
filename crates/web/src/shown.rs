//! The queue as users see it. Whatever is hidden from them is hidden here, and the rest of this crate has no other way to
//! read, so a new page or route cannot forget it. Changes pass here too: one that begins with what was shown, such as an
//! edit, gets the hidden values back.

mod batches;
mod changes;
mod diagnosis;
mod job_secrets;
mod jobs;
mod limits;
mod schedules;
mod statistics;
mod visible;

pub(crate) use self::jobs::Candidates;
pub(crate) use self::statistics::AllQueues;
pub(crate) use self::visible::OTHERS;

use std::fmt;
use std::sync::Arc;

use longshore::Queue;
use longshore::backend::{Actor, Backend, Deed, Touched, audited};
use longshore_core::{AuditEntry, AuditRequest, StoreError};

use self::visible::Visible;
use crate::{Access, Redaction};

/// The one way to read and change the queue.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    queue: Queue,
    redaction: Arc<Redaction>,
    /// Of a user who sees some queues alone.
    visible: Option<Visible>,
}

impl Shown {
    pub(crate) fn new(queue: Queue, redaction: Redaction) -> Self {
        Self { queue, redaction: Arc::new(redaction), visible: None }
    }

    /// The same for a user; without one nothing is seen.
    pub(crate) fn seen_by(&self, access: Option<&Access>) -> Self {
        Self { visible: Visible::of(access), ..self.clone() }
    }

    /// The store itself, with all that is hidden.
    fn store(&self) -> &dyn Backend {
        self.queue.backend().as_ref()
    }

    /// Changes something with an entry in the audit trail. If the entry cannot be written, nothing is changed.
    pub(crate) async fn audited<T: Touched, E: From<StoreError> + fmt::Display>(
        &self,
        actor: &Actor,
        deed: Deed,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        audited(self.store(), actor, deed, change).await
    }

    /// Entries of the audit trail, newest first.
    /// A user of some queues sees only what it has done itself.
    pub(crate) async fn audit_page(&self, mut request: AuditRequest) -> Result<Vec<AuditEntry>, StoreError> {
        if let Some(visible) = &self.visible {
            if request.actor.as_ref().is_some_and(|actor| *actor != visible.user) {
                return Ok(Vec::new());
            }
            request.actor = Some(visible.user.clone());
        }
        let mut entries = self.store().audit_page(request).await?;
        entries.iter_mut().for_each(|entry| self.redaction.hide_in_entry(entry));
        Ok(entries)
    }
}
