//! What commands answer, in the very shape of their JSON.

pub(crate) mod agreement;
pub mod finding;

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    files::migration::{Direction, MigrationId},
    files::script::Bounds,
    import::Skipped,
    ledger::{Event, ForeignLedger},
    report::agreement::Agreement,
    report::finding::{Finding, FindingKind},
    schema::ObjectName,
};

/// What is true of a migration in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Applied, and its file is what was applied.
    Applied,
    /// Never applied.
    Pending,
    /// Applied once and rolled back.
    RolledBack,
    /// Applied, and its file says something else now.
    Changed,
    /// Applied, and there is no file.
    Missing,
}

/// One line of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationStatus {
    /// `SOURCE:NUMBER`.
    pub id: MigrationId,
    /// The source.
    pub source: String,
    /// The number.
    pub number: i64,
    /// The name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// When it was applied last, RFC 3339.
    pub applied_at: Option<String>,
    /// When it was rolled back, RFC 3339.
    pub rolled_back_at: Option<String>,
    /// The checksum that the ledger keeps.
    pub checksum: Option<String>,
    /// What is wrong, in words.
    pub problem: Option<String>,
}

/// `migrate status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// The database.
    pub database: String,
    /// How many the ledger counts as applied.
    pub applied_count: usize,
    /// How many there are files or types for.
    pub available_count: usize,
    /// How many of those the ledger does not count as applied.
    pub pending_count: usize,
    /// Each migration.
    pub migrations: Vec<MigrationStatus>,
    /// Files that are not recognised.
    pub unrecognised: Vec<String>,
    /// What is beside the migrations and is skipped.
    pub skipped: Vec<Skipped>,
    /// What is wrong with files and ledger, each with what fixes it.
    pub findings: Vec<Finding>,
    /// How the schema differs from what the ledger records.
    pub differences: Vec<Discrepancy>,
    /// Tables and views that no migration made; never touched.
    pub foreign: Vec<ObjectName>,
    /// Ledgers of other tools, never written.
    pub foreign_ledgers: Vec<ForeignLedger>,
    /// Migrations in the application's ledger that another program runs; nothing is wrong with them.
    pub theirs: Vec<Theirs>,
    /// What to do next, where something is to be done.
    #[serde(skip)]
    pub next: Option<NextStep>,
}

/// A migration in the application's ledger that this program does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Theirs {
    /// Its number there.
    pub number: i64,
    /// Its name there.
    pub name: String,
    /// When it was applied, RFC 3339.
    pub applied_at: Option<String>,
    /// When it was rolled back, RFC 3339.
    pub rolled_back_at: Option<String>,
    /// The migration of ours that it is, too.
    pub same_as: Option<MigrationId>,
}

/// What brings a database on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// What fixes the first finding, in its own words.
    Mend {
        /// The finding.
        finding: Finding,
    },
    /// Adopt what another tool's ledger says.
    Baseline {
        /// Up to which migration.
        id: MigrationId,
        /// The other tool, in words.
        tool: &'static str,
    },
    /// Take over the table of another program.
    Adopt,
    /// Repair ledger and schema.
    Repair,
    /// Apply what is pending.
    Up,
}

impl StatusReport {
    /// Whether the three witnesses agree.
    pub fn agreement(&self) -> Agreement {
        if self.findings.iter().any(|finding| finding.kind.breaks_history()) {
            return Agreement::HistoryBroken;
        }
        if !self.differences.is_empty() {
            return Agreement::SchemaDisagrees;
        }
        if self.pending_count > 0 { Agreement::Pending } else { Agreement::InOrder }
    }
}

/// What sort of discrepancy it is, where it is not a difference of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerDiscrepancy {
    /// The schema shows a migration that the ledger does not count.
    NotRecorded,
}

/// The kind of a [`Discrepancy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DiscrepancyKind {
    /// An object differs.
    Object(crate::schema::DifferenceKind),
    /// The ledger lacks a migration.
    Ledger(LedgerDiscrepancy),
}

/// One line of `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// What sort.
    pub kind: DiscrepancyKind,
    /// The object in words, such as `column job_queue.failure_type`.
    pub object: String,
    /// What the migrations that the ledger counts make of it.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// The migration that it belongs to; none for what was made by hand.
    pub because: Option<MigrationId>,
}

/// `migrate verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Where the schema disagrees.
    pub differences: Vec<Discrepancy>,
    /// Tables and views that no migration made.
    pub foreign: Vec<ObjectName>,
    /// What is wrong with files and ledger.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether the schema agrees with the ledger; what is pending does not count.
    pub fn agreement(&self) -> Agreement {
        if self.findings.iter().any(|finding| finding.kind.breaks_history()) {
            return Agreement::HistoryBroken;
        }
        if self.differences.is_empty() { Agreement::InOrder } else { Agreement::SchemaDisagrees }
    }
}

/// A migration that was run, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunMigration {
    /// The migration.
    pub id: MigrationId,
    /// Its name.
    pub name: String,
    /// Up or down.
    pub direction: Direction,
    /// Its transaction bounds.
    #[serde(serialize_with = "bounds_word")]
    pub bounds: Bounds,
    /// Whether it runs in one transaction with all others of which this is true.
    pub joined: bool,
    /// Its statements; empty for code.
    pub sql: Vec<String>,
    /// How long it ran; none in a dry run.
    pub duration_ms: Option<i64>,
}

fn bounds_word<S: serde::Serializer>(bounds: &Bounds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match bounds {
        Bounds::Transaction => "transaction",
        Bounds::Rebuild => "rebuild",
        Bounds::Statements => "no_transaction",
    })
}

/// `migrate up`, `down` and `redo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Whether it ran or was only shown.
    pub dry_run: bool,
    /// What ran, in order.
    pub migrations: Vec<RunMigration>,
    /// The backup that was made before a down.
    pub backup: Option<PathBuf>,
}

/// One step of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepairStep {
    /// What is done.
    pub action: RepairAction,
    /// The migration that it belongs to.
    pub id: Option<MigrationId>,
    /// The statements that run.
    pub sql: Option<String>,
    /// Why.
    pub why: String,
}

/// What a step of a repair does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RepairAction {
    /// The ledger says applied, nothing runs.
    MarkApplied,
    /// The whole up runs.
    Apply,
    /// One missing object is made.
    Add,
    /// One object that is not as it should be, and holds no data, is made again.
    Replace,
    /// A table is given its expected shape, with its rows.
    RebuildTable,
    /// A table, or what belongs to it, is changed in place, with its rows.
    Alter,
    /// The ledger takes the checksum of a file whose change the schema already shows.
    RecordChecksum,
    /// The table of another program gets the shape that the migrations start from, with its rows.
    TakeOver,
    /// Something that the application had added stays.
    Keep,
    /// Something goes that the queue has no use for; its definition stays in the history.
    Drop,
    /// Another manager's ledger is told that a migration which it has, too, is applied.
    TellOtherManager,
    /// The old table comes back.
    GiveBack,
}

/// `migrate repair`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// The plan.
    pub steps: Vec<RepairStep>,
    /// Whether it was carried out.
    pub applied: bool,
    /// The backup that was made first.
    pub backup: Option<PathBuf>,
}

/// `adopt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdoptReport {
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// What is done with it, in order.
    pub steps: Vec<RepairStep>,
    /// What belongs to another manager, and stays as it is.
    pub theirs: Vec<Theirs>,
    /// Tables and views that no migration made; never touched.
    pub foreign: Vec<ObjectName>,
    /// Whether it was carried out.
    pub applied: bool,
    /// Whether it can be undone.
    pub can_be_undone: bool,
    /// The backup that was made first.
    pub backup: Option<PathBuf>,
}

/// `migrate mark-applied`, `mark-rolled-back` and `baseline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarkReport {
    /// What was marked; empty where the ledger said so already.
    pub marked: Vec<MigrationId>,
    /// What to know about it: marked unverified, or data that leaves no trace.
    pub notes: Vec<String>,
}

/// `migrate history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryReport {
    /// Every event, oldest first.
    pub events: Vec<Event>,
}

/// `migrate lint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// Whether nothing breaks the history.
    pub ok: bool,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// What is beside the migrations and was skipped.
    pub skipped: Vec<Skipped>,
}

impl LintReport {
    /// Whether the files are in order; findings that only warn do not count.
    pub fn agreement(&self) -> Agreement {
        if self.ok { Agreement::InOrder } else { Agreement::HistoryBroken }
    }

    /// Puts findings into a report.
    pub fn of(findings: Vec<Finding>, skipped: Vec<Skipped>) -> Self {
        let is_error = |finding: &Finding| {
            finding.kind.breaks_history() || matches!(finding.kind, FindingKind::NumberGap | FindingKind::BrokenDown)
        };
        Self { ok: !findings.iter().any(is_error), findings, skipped }
    }
}
