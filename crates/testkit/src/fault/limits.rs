use longshore_core::{AppliedLimits, ApplyLimits, ChangeLimit, LimitPage, Limiting, LimitsRequest, StoreFuture};

use super::{FaultStore, Operation};

impl<S: Limiting> Limiting for FaultStore<S> {
    fn apply_limits(&self, apply: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        self.meet(Operation::Schedule, move |inner| inner.apply_limits(apply))
    }

    fn change_limit(&self, change: ChangeLimit) -> StoreFuture<'_, bool> {
        self.meet(Operation::Schedule, move |inner| inner.change_limit(change))
    }

    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        self.meet(Operation::Read, move |inner| inner.limit_page(request))
    }
}
