use longshore_core::{
    AppliedLimits, ApplyLimits, ChangeLimit, LimitPage, Limiting, LimitsRequest, StoreError, StoreFuture,
};

use crate::limits::change::{Apply, Change, applied};
use crate::limits::rows::page;
use crate::store::SqliteStore;

impl Limiting for SqliteStore {
    fn apply_limits(&self, request: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        Box::pin(async move {
            for (subject, rule) in &request.rules {
                rule.as_ref().map_or(Ok(()), |rule| rule.check(subject))?;
            }
            let look = request.clone();
            let read = move |tx: &crate::database::readers::ReadTx<'_>| Ok(applied(tx.connection, &look)?);
            let would = self.parts.readers.run("comparing limits", read).await?;
            if would.changed.is_empty() {
                return Ok(would);
            }
            self.parts.writer.run(Apply { request }).await
        })
    }

    fn change_limit(&self, request: ChangeLimit) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            if let Some(rule) = &request.rule {
                rule.check(&request.subject)?;
                if rule.is_empty() {
                    let subject = request.subject;
                    return Err(StoreError::InvalidLimit(longshore_core::InvalidLimit::Nothing { subject }));
                }
            }
            self.parts.writer.run(Change { request }).await
        })
    }

    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        Box::pin(self.parts.readers.run("listing limits", move |tx| Ok(page(tx.connection, &request, tx.now)?)))
    }
}
