//! SQLite as a target of migrations: [`SqliteTarget`] is the `longshore_migrate::target::Target` of one file.
//!
//! [`catalog`] reads the meaning of a schema, `target` runs statements, keeps the ledger and makes the scratch database
//! of the replay, [`verified`] remembers that a source was found in order. It knows no migration of anybody, the
//! queue's included, and no job. Begin with [`SqliteTarget::open`]; `examples/library.rs` is a whole program.

pub mod catalog;
mod target;
pub mod verified;

pub use longshore_sqlite_file::check_left_log;
pub use rusqlite;
pub use target::{Access, SqliteTarget, lock_runners, wait_for_runner};
