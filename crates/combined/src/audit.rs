use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd, StoreFuture};

use crate::combined_store::CombinedStore;
use crate::members::MAIN;

/// The trail is in the main database, also of what is changed in others.
impl AuditTrail for CombinedStore {
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.begin_deed(actor, deed).await })))
    }

    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.end_deed(id, end).await })))
    }

    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.audit_page(request).await })))
    }
}
