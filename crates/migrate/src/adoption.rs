//! Taking over tables that another program made: what a source must be able to say of them.
//!
//! An [`Adopter`] only reads. What is to be done it gives as statements, so that a plan shows just what will run.

use std::fmt::Debug;

use crate::{
    execution::replay::Chain,
    ledger::Ledger,
    report::RepairStep,
    report::finding::Finding,
    schema::{Difference, ObjectName, Schema},
    target::{Rebuild, Session, TargetError},
};

/// The tables in which an adoption keeps what is needed to undo it. They are no part of the schema that is compared.
pub const TABLES: [&str; 3] = ["longshore_adoption", "longshore_adopted_jobs", "longshore_returned_jobs"];

/// What a person has decided where an adoption would lose a value or a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// Names of what is to be kept.
    pub keep: Vec<String>,
    /// Names of what is to go.
    pub drop: Vec<String>,
    /// Rows that were copied into another order of the columns are read by position.
    pub by_position: bool,
    /// Rows with values in the wrong columns stay in the old rows that are kept, and are not carried over.
    pub leave_out: bool,
}

/// What an adopter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The real schema.
    pub observed: &'a Schema,
    /// The ledgers, attributed.
    pub ledger: &'a Ledger,
    /// What the migrations make.
    pub chain: &'a Chain,
    /// What was decided.
    pub choices: &'a Choices,
}

/// How another program's table is taken over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Takeover {
    /// The table.
    pub table: String,
    /// Whether the pending migrations would lose something of it, or would leave it otherwise than they make it.
    pub is_needed: bool,
    /// Whether they carry every row over just as an adoption does.
    pub is_plain: bool,
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// What is done with it.
    pub steps: Vec<RepairStep>,
    /// What only a person can decide, with the choices as commands.
    pub obstacles: Vec<Finding>,
    /// The last migration whose tables are there once `statements` have run; it and those before it are marked.
    pub version: i64,
    /// What brings the table there.
    pub statements: Vec<String>,
    /// What puts back, after the last migration, what the application had added to the table.
    pub rebuild: Option<Rebuild>,
    /// What runs after that.
    pub statements_after: Vec<String>,
}

/// How an adoption is undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Return {
    /// The table.
    pub table: String,
    /// Why it cannot be, a sentence each.
    pub obstacles: Vec<String>,
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// What runs.
    pub statements: Vec<String>,
    /// Rows of the other manager's ledger that the adoption had changed: the number, and since when it had been rolled
    /// back; `None` for a row that was not there.
    pub shared: Vec<(i64, Option<String>)>,
    /// The tables that go, with their indexes and triggers.
    pub tables: Vec<String>,
}

/// What a source knows of the ancestors of its tables.
pub trait Adopter: Debug + Send + Sync {
    /// How the table of another program is taken over; `None` where there is none.
    fn inspect(&self, session: &mut dyn Session, scene: &Scene<'_>) -> Result<Option<Takeover>, TargetError>;

    /// What the application had added to the table and has kept: no difference from what the migrations make.
    fn accepted(&self, session: &mut dyn Session) -> Result<Vec<ObjectName>, TargetError>;

    /// What is to be noted once all is done, as statements. `added` is what the application has beyond the migrations.
    fn seal(&self, session: &mut dyn Session, added: &[Difference]) -> Result<Vec<String>, TargetError>;

    /// How the adoption is undone; `None` where nothing was adopted.
    fn give_back(&self, session: &mut dyn Session) -> Result<Option<Return>, TargetError>;
}
