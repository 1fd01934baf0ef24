//! Migrations that agree with the schema.
//!
//! Three witnesses must agree: the files (or code) of a [`Source`], the [`ledger`], and the real [`schema`]. What
//! migrations make is learnt by running them on a scratch database ([`replay`]); a [`survey`] puts the three side by
//! side, [`plan`] decides, [`apply`] carries out. [`Migrator`] has one method a command.
//!
//! This crate never knows a database: a backend implements [`target::Target`]. Begin reading at [`survey`].

pub mod adoption;
mod agreement;
pub mod apply;
mod aside;
pub mod checksum;
mod error;
pub mod finding;
pub mod import;
pub mod ledger;
mod lint;
mod loss;
mod migration;
mod migrator;
pub mod plan;
mod rehearsal;
pub mod replay;
pub mod report;
pub mod schema;
pub mod script;
pub mod source;
pub mod survey;
pub mod target;

pub use adoption::{Adopter, Choices};
pub use agreement::Agreement;
pub use error::MigrateError;
pub use longshore_cause::OutsideCause;
pub use loss::{DataLoss, Loss, LossCheck, LossKind, Move, Moves};
pub use migration::{Body, CodeError, CodeMigration, Direction, Migration, MigrationId};
pub use migrator::{
    AdoptRequest, Author, Marking, Migrator, RepairMode, RepairRequest, RunMode, RunRequest, Verification,
};
pub use plan::Goal;
pub use script::{Bounds, IntendedLoss};
pub use source::{Elsewhere, NewPair, Source, SourceError};
