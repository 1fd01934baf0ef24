//! A SQLite database as a file: code that the queue and the migrations share.
//!
//! [`FileAccess`] finds the outside cause of an error. [`SharedFiles`] creates files beside the database that its other
//! users may open. [`check_kind`] rejects a path that SQLite must not open. This crate knows neither jobs nor
//! migrations, and opens no database. Start reading at [`FileAccess::outside_cause`].

mod file_access;
mod identity;
mod kind;
mod shared_files;
mod write_access;

pub use file_access::FileAccess;
pub use identity::FileIdentity;
pub use kind::{check_connection, check_folder, check_kind, has_moved, link_count};
pub use shared_files::{Refused, SharedFiles};
pub use write_access::{folder_of, is_mounted_read_only, is_read_only};
