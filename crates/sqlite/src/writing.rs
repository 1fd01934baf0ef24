//! The one thread that writes: how requests reach it, share a transaction and get their answers, and how it notices
//! commits of other processes. Start reading at `writer`, then `writer_thread` and `group`.

pub(crate) mod awake;
pub(crate) mod checkpointer;
pub(crate) mod checkpoints;
pub(crate) mod group;
pub(crate) mod hints;
pub(crate) mod kept_statements;
pub(crate) mod log_pages;
pub(crate) mod log_watch;
pub(crate) mod permits;
pub(crate) mod session;
pub(crate) mod watch;
pub(crate) mod work;
pub(crate) mod writer;
pub(crate) mod writer_thread;
