use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// The only source of the current time.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The wall clock. It may jump in both directions. Only due times and records may depend on it.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start. It never jumps. Leases depend on it.
    fn monotonic(&self) -> Duration;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    beginning: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero now.
    pub fn new() -> Self {
        Self { beginning: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_ms(0).after(since)
    }

    fn monotonic(&self) -> Duration {
        self.beginning.elapsed()
    }
}
