use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// An optional time.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Sets the time, unless it is already set.
    pub(crate) fn set_once(&mut self, after: Duration) {
        self.sleep.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + after)));
    }

    /// Resolves when the time has come, and clears it. Never resolves if no time is set. Cancellation safe.
    pub(crate) async fn rings(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.await,
            None => std::future::pending().await,
        }
        self.sleep = None;
    }
}
