//! Migrations that agree with the schema.
//!
//! Three witnesses must agree: the files (or code) of a [`Source`], the [`ledger`], and the real [`schema`]. What
//! migrations make is learnt by running them on a scratch database ([`execution::replay`]); a [`survey`] puts the three
//! side by side, [`plan`] decides, [`execution::apply`] carries out. [`Migrator`] has one method a command.
//!
//! This crate never knows a database: a backend implements [`target::Target`]. Begin reading at [`survey`].

pub mod adoption;
pub mod alterer;
mod error;
pub mod execution;
pub mod files;
pub mod import;
pub mod ledger;
mod migrator;
pub mod plan;
pub mod report;
pub mod schema;
pub mod survey;
pub mod target;

pub use adoption::{Adopter, Choices};
pub use error::MigrateError;
pub use execution::loss::{DataLoss, Loss, LossCheck, LossKind, Move, Moves};
pub use files::migration::{Body, CodeError, CodeMigration, Direction, Migration, MigrationId};
pub use files::script::{Bounds, IntendedLoss};
pub use files::source::{Elsewhere, NewPair, Source, SourceError};
pub use longshore_cause::OutsideCause;
pub use migrator::{
    AdoptRequest, Author, Backup, Chains, Marking, Migrator, RepairMode, RepairRequest, RunMode, RunRequest,
    Verification,
};
pub use plan::Goal;
pub use report::agreement::Agreement;
