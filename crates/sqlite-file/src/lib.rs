//! A SQLite database as a file: code that the queue and the migrations share.
//!
//! [`FileAccess`] finds the outside cause of an error. [`SharedFiles`] creates files beside the database that its other
//! users may open. [`check_kind`] and [`check_left_log`] reject a path that SQLite must not open. This crate knows
//! neither jobs nor migrations, and opens no database. Start reading at [`FileAccess::outside_cause`].

mod beside;
mod file_access;
mod identity;
mod kind;
mod left_log;
mod mount_point;
mod moved;
mod shared_files;
mod size_limit;
mod versions;
mod write_access;

pub use beside::beside;
pub use file_access::FileAccess;
pub use identity::FileIdentity;
pub use kind::{check_connection, check_folder, check_kind, link_count};
pub use left_log::{check_left_log, follow_links};
pub use mount_point::is_mount_point;
pub use moved::has_moved;
pub use shared_files::{Refused, SharedFiles};
pub use versions::Answered;
pub use write_access::{folder_of, is_mounted_read_only, is_read_only};
