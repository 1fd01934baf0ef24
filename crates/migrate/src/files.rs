//! What a directory of migrations says: names, scripts, checksums, and what `lint` checks without a database.

pub mod checksum;
pub(crate) mod lint;
pub(crate) mod migration;
pub mod script;
pub mod source;
