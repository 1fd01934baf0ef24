use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::Status;
use serde::{Serialize, Serializer};

/// What a move would do; nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovePlan {
    /// The database to move from.
    pub from: String,
    /// The database to move to.
    pub to: String,
    /// What the move does first: the first step of a new one, or where an interrupted one goes on.
    pub next: MoveStep,
    /// How many jobs move, by status.
    pub moves: BTreeMap<Status, u64>,
    /// How many jobs stay behind, by status.
    pub stays: BTreeMap<Status, u64>,
    /// How many jobs are running now.
    pub running: u64,
}

/// What a move did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoveReport {
    /// The database that it moved from.
    pub from: String,
    /// The database that it moved to.
    pub to: String,
    /// How many jobs moved, by status. Empty if an earlier call had compared them.
    pub moved: BTreeMap<Status, u64>,
    /// How many ended jobs stayed behind.
    pub stayed: u64,
    /// How many running jobs were taken back from their workers, because they had not ended in time.
    pub taken_back: u64,
    /// The hash over all jobs that moved, the same in both databases.
    pub checksum: Option<String>,
    /// Whether an earlier call had begun this move.
    pub resumed: bool,
    /// How long running jobs were waited for.
    #[serde(rename = "waited_ms", serialize_with = "milliseconds")]
    pub waited: Duration,
    /// How long the copy took.
    #[serde(rename = "copied_ms", serialize_with = "milliseconds")]
    pub copied: Duration,
    /// How long the comparison took.
    #[serde(rename = "compared_ms", serialize_with = "milliseconds")]
    pub compared: Duration,
}

/// What an undone move was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UndoReport {
    /// The database that has its queue again.
    pub from: String,
    /// The database from which what had arrived was removed. None if that one was not named.
    pub to: Option<String>,
    /// How many jobs were removed from there.
    pub removed: u64,
}

/// A step of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveStep {
    /// The names of all jobs are looked at.
    Check,
    /// The new database is closed to everybody else.
    Reserve,
    /// Jobs that an earlier move left in the new database are removed.
    Clear,
    /// The old database takes no new jobs and gives none to workers.
    Fence,
    /// Running jobs end, or are taken back.
    Drain,
    /// Jobs are copied.
    Copy,
    /// Both databases are compared.
    Compare,
    /// The queue is in the new database from here on.
    Switch,
    /// Nothing is left to do.
    Done,
}

/// Hears how a move goes on.
pub trait MoveListener: Send + Sync {
    /// A step begins.
    fn begins(&self, step: MoveStep);
    /// So many jobs of a step are done, of about so many.
    fn passes(&self, step: MoveStep, jobs: u64, of: u64);
    /// So many jobs are running, and this long they may go on.
    fn waits(&self, running: u64, left: Duration);
}

fn milliseconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
