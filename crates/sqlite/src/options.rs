use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Clock, Limits, SystemClock};

use crate::workers::liveness::boot_id::boot_id_of_machine;

/// When an acknowledged write is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// It survives a power cut (`synchronous = FULL`).
    #[default]
    Full,
    /// It survives the death of every process; a power cut may take the last moments, never the order
    /// (`synchronous = NORMAL`).
    Normal,
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file; it must be there.
    pub path: PathBuf,
    /// When an acknowledged write is safe.
    pub durability: Durability,
    /// How long a call waits for another program's write lock before it answers `Busy`.
    pub busy_timeout: Duration,
    /// How large the database file may grow; beyond it a write answers `Full`, as on a full disk.
    pub size_max_bytes: Option<u64>,
    /// What is accepted.
    pub limits: Limits,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What tells this boot of the machine from another one; without it a dead worker's attempts all count as begun.
    pub boot_id: Option<Arc<str>>,
}

impl SqliteOptions {
    /// Full durability, ten seconds of patience, the default limits and the machine's clock.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(10),
            size_max_bytes: None,
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            boot_id: boot_id_of_machine(),
        }
    }

    /// When an acknowledged write is safe.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long a call waits for another program's write lock.
    #[must_use]
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// How large the database file may grow.
    #[must_use]
    pub fn size_max_bytes(mut self, size_max_bytes: u64) -> Self {
        self.size_max_bytes = Some(size_max_bytes);
        self
    }

    /// What is accepted.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What tells this boot of the machine from another one, in a test that makes believe that it was started anew.
    #[must_use]
    pub fn boot_id(mut self, boot_id: &str) -> Self {
        self.boot_id = Some(boot_id.into());
        self
    }
}
