pub(crate) mod audit;
pub(crate) mod counts;
pub(crate) mod duties;
pub(crate) mod health;
pub(crate) mod housekeeping;
pub(crate) mod id_range;
mod keepers;
mod long_attempts;
mod names;
pub(crate) mod partitions;
mod pruning;
pub(crate) mod stats;
mod strays;
mod stuck;
pub(crate) mod waiting_facts;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use longshore_core::QueueChange;
use postgres_types::Type;

use crate::jobs::claim::hints::Changes;
use crate::schedules::tick_pruning::TickPruning;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::store::Parts;
use audit::Audit;
use duties::Duties;
use names::NameWalk;
use partitions::retire::Looks;
use partitions::stories::StoryWalk;
use strays::Strays;

/// What housekeeping in this store remembers.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    duties: Duties,
    audit: Audit,
    partitions: Looks,
    stories: StoryWalk,
    names: NameWalk,
    strays: Strays,
    ticks: TickPruning,
    /// The steps of the current sweep that looked after the counts.
    steps: AtomicU32,
}

/// Pauses or resumes a queue.
pub(crate) async fn change_queue(parts: Arc<Parts>, queue: String, change: QueueChange) -> Result<(), Fault> {
    let session = parts.pool.session().await?;
    let statement = match change {
        QueueChange::Pause => sql!("upkeep/pause_queue"),
        QueueChange::Resume => sql!("upkeep/resume_queue"),
    };
    session.execute(statement, &[(&queue, Type::TEXT)]).await?;
    if change == QueueChange::Resume {
        let mut changes = Changes::default();
        changes.add_job(None, &queue);
        parts.claims.hints.give(changes);
    }
    Ok(())
}
