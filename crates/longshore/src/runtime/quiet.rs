//! Log calls that cannot affect a job: if a subscriber panics, only the line is lost.

use tracing::Span;
use tracing::span::Entered;

use crate::runtime::panic_capture::quietly;

macro_rules! debug {
    ($($words:tt)*) => {{ $crate::runtime::panic_capture::quietly(|| ::tracing::debug!($($words)*)); }};
}
macro_rules! info {
    ($($words:tt)*) => {{ $crate::runtime::panic_capture::quietly(|| ::tracing::info!($($words)*)); }};
}
macro_rules! warning {
    ($($words:tt)*) => {{ $crate::runtime::panic_capture::quietly(|| ::tracing::warn!($($words)*)); }};
}
macro_rules! error {
    ($($words:tt)*) => {{ $crate::runtime::panic_capture::quietly(|| ::tracing::error!($($words)*)); }};
}
pub(crate) use {debug, error, info, warning};

/// A span whose subscriber may panic.
#[derive(Debug)]
pub(crate) struct QuietSpan {
    span: Span,
}

impl QuietSpan {
    /// The span that `make` creates, or none.
    pub(crate) fn new(make: impl FnOnce() -> Span) -> Self {
        Self { span: quietly(make).unwrap_or_else(Span::none) }
    }

    /// Sets a field of the span.
    pub(crate) fn record(&self, field: &str, value: impl tracing::Value) {
        quietly(|| {
            self.span.record(field, value);
        });
    }

    /// What `look` finds out about the span.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn ask<T>(&self, look: impl FnOnce(&Span) -> Option<T>) -> Option<T> {
        quietly(|| look(&self.span)).flatten()
    }

    /// Runs `call` inside the span. `call` must not panic.
    ///
    /// A panic would call the subscriber while unwinding, and a second panic there would abort the process.
    pub(crate) fn in_scope<T>(&self, call: impl FnOnce() -> T) -> T {
        let entered: Option<Entered<'_>> = quietly(|| self.span.enter());
        let output = call();
        quietly(|| drop(entered));
        output
    }
}

impl Clone for QuietSpan {
    fn clone(&self) -> Self {
        Self::new(|| self.span.clone())
    }
}

impl Drop for QuietSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.span, Span::none());
        quietly(|| drop(span));
    }
}
