use longshore_core::{Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedEnd, StoreFuture};

use super::{FaultStore, Operation};

impl<S: AuditTrail> AuditTrail for FaultStore<S> {
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId> {
        self.meet(Operation::Act, move |inner| inner.begin_deed(actor, deed))
    }

    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()> {
        self.meet(Operation::Act, move |inner| inner.end_deed(id, end))
    }

    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>> {
        self.meet(Operation::Read, move |inner| inner.audit_page(request))
    }
}
