//! Log calls that cannot affect a transaction or a thread: if a subscriber panics, only the line is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};

macro_rules! debug {
    ($($words:tt)*) => {{ $crate::database::quiet::quietly(|| ::tracing::debug!($($words)*)); }};
}
macro_rules! warning {
    ($($words:tt)*) => {{ $crate::database::quiet::quietly(|| ::tracing::warn!($($words)*)); }};
}
macro_rules! error {
    ($($words:tt)*) => {{ $crate::database::quiet::quietly(|| ::tracing::error!($($words)*)); }};
}
pub(crate) use {debug, error, warning};

pub(crate) fn quietly(log: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(log)) {
        // Dropping it could panic too.
        std::mem::forget(payload);
    }
}
