//! Waiting, blocking and catching panics without harm to the worker or to the caller's runtime.

pub(crate) mod alarm;
pub(crate) mod blocking_threads;
pub(crate) mod panic_capture;
pub(crate) mod park;
pub(crate) mod quiet;
pub(crate) mod reading_thread;
