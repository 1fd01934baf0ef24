use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Clock, Limits, SystemClock};

use crate::workers::liveness::boot_id::boot_id_of_machine;

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut (`synchronous = FULL`).
    #[default]
    Full,
    /// A crash of every process. A power cut may lose the last commits, but never their order (`synchronous = NORMAL`).
    Normal,
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file. It must exist.
    pub path: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// How long a call waits for another program's write lock before it returns `Busy`.
    pub busy_timeout: Duration,
    /// The maximum size of the database file in bytes. A write beyond it returns `Full`, as on a full disk.
    pub size_max_bytes: Option<u64>,
    /// The limits of a job.
    pub limits: Limits,
    /// The source of the time.
    pub clock: Arc<dyn Clock>,
    /// The identity of this boot of the machine. Without it, all attempts of a dead worker count as started.
    pub boot_id: Option<Arc<str>>,
}

impl SqliteOptions {
    /// Full durability, a lock timeout of ten seconds, the default limits and the machine's clock.
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

    /// Sets what a commit survives.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a call waits for another program's write lock.
    #[must_use]
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets the maximum size of the database file in bytes.
    #[must_use]
    pub fn size_max_bytes(mut self, size_max_bytes: u64) -> Self {
        self.size_max_bytes = Some(size_max_bytes);
        self
    }

    /// Sets the limits of a job.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the source of the time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the identity of this boot, for a test that simulates a restart of the machine.
    #[must_use]
    pub fn boot_id(mut self, boot_id: &str) -> Self {
        self.boot_id = Some(boot_id.into());
        self
    }
}
