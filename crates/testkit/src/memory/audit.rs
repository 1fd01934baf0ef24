use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd, DeedOutcome, StoreFuture};

use crate::memory::MemoryStore;

/// The trail, oldest first.
pub(super) type Trail = Vec<AuditEntry>;

impl AuditTrail for MemoryStore {
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId> {
        self.quietly(move |state, moment| {
            let old = state.trail.iter().take(AuditEntry::REMOVED_MAX as usize);
            let removed = old.filter(|entry| entry.at < moment.now.before(AuditEntry::KEPT)).count();
            let id = AuditId(state.trail.last().map_or(0, |entry| entry.id.0) + 1);
            state.trail.drain(..removed);
            state.trail.push(AuditEntry {
                id,
                at: moment.now,
                actor: actor.name,
                via: actor.via.as_str().to_owned(),
                action: deed.action.to_owned(),
                target: deed.target().to_owned(),
                outcome: DeedOutcome::Unfinished,
                ended_at: None,
                changed: None,
                error: None,
            });
            Ok(id)
        })
    }

    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()> {
        self.quietly(move |state, moment| {
            if let Some(entry) = state.trail.iter_mut().find(|entry| entry.id == id) {
                (entry.changed, entry.error) = match end {
                    DeedEnd::Done(changed) => (Some(changed), None),
                    DeedEnd::Failed(error) => (None, Some(error)),
                };
                entry.ended_at = Some(moment.now);
                entry.outcome = DeedOutcome::of(true, entry.error.is_some());
            }
            Ok(())
        })
    }

    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        self.quietly(move |state, _| {
            let AuditRequest { before, actor, action, limit } = request;
            let behind = state.trail.iter().rev().filter(|entry| before.is_none_or(|before| entry.id < before));
            let wanted = behind
                .take(AuditRequest::LOOKED_AT_MAX as usize)
                .filter(|entry| actor.as_ref().is_none_or(|actor| entry.actor == *actor))
                .filter(|entry| action.as_ref().is_none_or(|action| entry.action == *action));
            Ok(wanted.take(limit as usize).cloned().collect())
        })
    }
}
