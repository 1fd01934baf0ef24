//! Log calls that no transaction and no thread depends on: a subscriber that panics costs the line and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

macro_rules! debug {
    ($($words:tt)*) => {{ $crate::quiet::quietly(|| ::tracing::debug!($($words)*)); }};
}
macro_rules! warning {
    ($($words:tt)*) => {{ $crate::quiet::quietly(|| ::tracing::warn!($($words)*)); }};
}
macro_rules! error {
    ($($words:tt)*) => {{ $crate::quiet::quietly(|| ::tracing::error!($($words)*)); }};
}
pub(crate) use {debug, error, warning};

pub(crate) fn quietly(log: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(log)) {
        // Dropping it may panic, too.
        std::mem::forget(payload);
    }
}
