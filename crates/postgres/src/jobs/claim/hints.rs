use std::pin::Pin;
use std::sync::Arc;

use longshore_core::{Hint, Interest, Wakeups};

use crate::store::Parts;

/// Subscribes to hints.
pub(crate) fn subscribe(_parts: &Arc<Parts>, _interest: Interest) -> Box<dyn Wakeups> {
    Box::new(Silence)
}

struct Silence;

impl Wakeups for Silence {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
