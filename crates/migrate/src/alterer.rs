//! How a database that changes tables in place brings a schema to what migrations make, where another one rebuilds
//! its tables.

use std::{collections::BTreeMap, fmt};

use crate::{
    report::RepairAction,
    schema::{Difference, ObjectName, Schema},
};

/// What differs, and what it should be.
#[derive(Debug, Clone, Copy)]
pub struct AlterRequest<'a> {
    /// The differences to remove.
    pub differences: &'a [Difference],
    /// The schema that is expected.
    pub expected: &'a Schema,
    /// The statements that make it.
    pub definitions: &'a BTreeMap<ObjectName, String>,
}

/// When a statement of a repair runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// By itself before the transaction: the transaction may use what it makes.
    Before,
    /// In the one transaction of the repair.
    Together,
    /// By itself after the transaction: it takes long and does not keep others waiting.
    After,
}

/// One statement of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alteration {
    /// What is done.
    pub action: RepairAction,
    /// The object that it makes, changes or puts aside.
    pub object: ObjectName,
    /// The object because of whose difference it runs.
    pub because: ObjectName,
    /// The statement.
    pub sql: String,
    /// When it runs.
    pub moment: Moment,
    /// Why, where the difference itself does not say it.
    pub why: Option<String>,
    /// What must be true of the rows before anything runs.
    pub conditions: Vec<RowCondition>,
}

/// A condition on the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCondition {
    /// A query that counts the rows that do not meet it.
    pub count: String,
    /// What these rows mean for the repair.
    pub breach: Breach,
}

/// What rows that do not meet a condition mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// The statement would fail: such rows, in words behind their number and their table.
    Prevents(String),
    /// The statement would change values of that table and column.
    Loses(String, String),
}

/// Plans alterations. It knows the real schema as it was when it was made, and asks nobody.
pub trait Alterer: fmt::Debug {
    /// The statements in the order in which they run. What it cannot change without loss, or not without keeping
    /// others waiting for long, is left out.
    fn alterations(&self, request: &AlterRequest<'_>) -> Vec<Alteration>;

    /// What a person would run for one difference that was left out.
    fn by_hand(&self, difference: &Difference, request: &AlterRequest<'_>) -> Option<String>;
}
