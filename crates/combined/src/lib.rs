//! Several databases as one store: each queue has its database, and workers, producers and operators see one.
//!
//! It knows the traits of a store and no database. Start with [`CombinedStore`], then `members.rs`, which asks them all
//! at once and goes on without one that does not answer, and `workers/claims.rs`.

mod attendant;
mod audit;
mod combined_store;
mod console;
mod limiting;
mod member;
mod members;
mod merge;
mod missed;
mod numbering;
mod pace;
mod schedules;
mod store;
mod tokens;
mod workers;
mod workflows;

pub use combined_store::CombinedStore;
pub use member::{NamedDatabase, Opener, Opening, UnreachableDatabase};
pub use numbering::{CombineError, Numbering, is_database_name};
