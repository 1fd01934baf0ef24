//! The one connection that writes: how requests reach it, share a transaction and get their answers, on the writer's
//! thread or on that of a lone caller, and how commits of other processes are noticed. Start reading at `writer`, then
//! `writer_thread`, `writer_connection` and `group`.

pub(crate) mod awake;
pub(crate) mod checkpointer;
pub(crate) mod checkpoints;
pub(crate) mod connection_lock;
pub(crate) mod group;
pub(crate) mod hints;
pub(crate) mod log_watch;
pub(crate) mod permits;
pub(crate) mod session;
pub(crate) mod watch;
pub(crate) mod work;
pub(crate) mod writer;
pub(crate) mod writer_connection;
pub(crate) mod writer_thread;
