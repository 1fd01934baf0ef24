pub(crate) mod counts;
pub(crate) mod health;
pub(crate) mod housekeeping;
pub(crate) mod stats;

use std::sync::Arc;

use longshore_core::QueueChange;
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::store::Parts;

/// Pauses or resumes a queue.
pub(crate) async fn change_queue(parts: Arc<Parts>, queue: String, change: QueueChange) -> Result<(), Fault> {
    let session = parts.pool.session().await?;
    let statement = match change {
        QueueChange::Pause => sql!("upkeep/pause_queue"),
        QueueChange::Resume => sql!("upkeep/resume_queue"),
    };
    session.execute(statement, &[(&queue, Type::TEXT)]).await?;
    Ok(())
}
