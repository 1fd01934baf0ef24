//! Whether the queue's tables are the ones that this program supports: what every store asks before it opens.
//!
//! [`judge`] reads a survey of the migration manager, whatever the database is; [`OpenError`] is why a store was not
//! opened. It knows no database and no statement.

mod judge;
mod opening;
mod schema_problem;

pub use judge::judge;
pub use opening::{OpenError, Origin, Prepare};
pub use schema_problem::SchemaProblem;
