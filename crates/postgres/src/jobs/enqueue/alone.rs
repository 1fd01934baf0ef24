use longshore_core::{Enqueued, ValidJob};
use postgres_types::Type;

use super::dependent::Dependent;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Call;
use crate::store::Parts;

/// How long an enqueue waits for a transaction of another program that has the same unique key and is still open.
const PATIENCE: &str = "10s";

/// Creates jobs that depend on others, all or none, in a transaction of their own. Few of them at a time, because each
/// may wait for an open transaction, and the other requests need connections, too.
pub(super) async fn enqueue_alone(parts: &Parts, jobs: &[ValidJob]) -> Result<Vec<Enqueued>, Fault> {
    let _permit = parts.enqueues.alone(parts).acquire().await.map_err(|_| parts.context.closed())?;
    let (enqueued, changes) = repeated(async || {
        let patience = [(&PATIENCE as _, Type::TEXT)];
        let calls = [Call { sql: sql!("session/set_lock_timeout"), parameters: &patience }];
        let (transaction, _) = parts.pool.begin_with(&calls).await?;
        let mut dependent = Dependent::in_transaction(&transaction, &parts.context);
        let enqueued = dependent.insert(jobs).await?;
        let changes = dependent.changes();
        transaction.commit().await?;
        Ok((enqueued, changes))
    })
    .await?;
    parts.claims.hints.give(changes);
    Ok(enqueued)
}
