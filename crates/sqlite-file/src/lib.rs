//! A SQLite database as a file: what the queue and the migrations both meet when they use one.
//!
//! [`FileAccess`] finds the cause outside the program behind an error, [`SharedFiles`] makes files beside the database
//! that its other users may open, and [`check_kind`] refuses a path that SQLite must not open. This crate knows
//! neither jobs nor migrations, and it opens no database. Begin with [`FileAccess::outside_cause`].

mod file_access;
mod kind;
mod shared_files;
mod write_access;

pub use file_access::FileAccess;
pub use kind::{check_connection, check_folder, check_kind, has_moved, link_count};
pub use shared_files::{Refused, SharedFiles};
pub use write_access::{folder_of, is_mounted_read_only, is_read_only};
