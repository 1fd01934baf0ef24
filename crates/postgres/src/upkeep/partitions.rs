//! Old jobs go with the partition that they are in. A partition is made before its first job, and rewritten with the
//! few jobs that are left when the others are over. Both need an instant in which nobody else uses the tables; they try
//! to get it, and never let anybody wait for long.

pub(crate) mod ahead;
mod copy;
pub(crate) mod layout;
mod locking;
pub(crate) mod obstacle;
pub(crate) mod retire;
mod rewrite;
pub(crate) mod stories;

pub(crate) use locking::is_busy;
