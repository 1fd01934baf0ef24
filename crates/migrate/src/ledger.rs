//! What the database says was applied: one row a migration, and a history that only grows.

mod assign;
mod foreign;

use std::collections::HashMap;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

pub use foreign::{ForeignLedger, Tool};

use crate::{checksum::Checksum, migration::MigrationId};

/// The ledger's own table, with the columns of the incident.
pub const TABLE: &str = "schema_migrations";
/// Its name where another tool has taken [`TABLE`] with other columns.
pub const TABLE_BESIDE_ANOTHER: &str = "longshore_migrations";
/// What is appended to the ledger's name for the tables that belong to it.
pub const SUFFIXES: [&str; 3] = ["_history", "_checkpoints", "_verified"];

/// In what form the ledger was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// There is none.
    Missing,
    /// The incident's five columns; read as it is, upgraded on the first write.
    Old,
    /// This version's.
    Current,
}

/// How a row came to say what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The statements ran, or the schema showed it when it was marked.
    Shown,
    /// Marked against what the schema shows, by an explicit word.
    Unverified,
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The source; `None` in an old ledger until it is assigned.
    pub source: Option<String>,
    /// The migration's number.
    pub number: i64,
    /// Its name when it ran.
    pub name: String,
    /// When it was applied, as written.
    pub applied_at: Option<String>,
    /// When it was rolled back, as written; then it is not applied.
    pub rolled_back_at: Option<String>,
    /// The checksum when it ran.
    pub checksum: Option<Checksum>,
    /// How long it ran.
    pub duration_ms: Option<i64>,
    /// Who ran it, as `user@host`.
    pub applied_by: Option<String>,
    /// How it came to say so.
    pub witness: Witness,
}

impl Row {
    /// Whether the ledger counts the migration as applied.
    pub fn is_applied(&self) -> bool {
        self.rolled_back_at.is_none()
    }

    /// The id; a row that nobody could assign belongs to the user's directory.
    pub fn id(&self) -> MigrationId {
        MigrationId::new(self.source.as_deref().unwrap_or(crate::source::APP), self.number)
    }
}

/// The ledger as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The name of its table, or the one that it will get.
    pub table: String,
    /// Its form.
    pub form: Form,
    /// Its rows, by source and number.
    pub rows: Vec<Row>,
    /// Ledgers of other tools beside it, read and never written.
    pub foreign: Vec<ForeignLedger>,
}

impl Ledger {
    /// The row of a migration.
    pub fn row(&self, id: &MigrationId) -> Option<&Row> {
        self.rows.iter().find(|row| row.id() == *id)
    }

    /// Every row by the id of its migration, for those who ask for many.
    pub fn by_id(&self) -> HashMap<MigrationId, &Row> {
        // The first row counts, as in `row`.
        self.rows.iter().rev().map(|row| (row.id(), row)).collect()
    }

    /// Whether the migration is applied according to the ledger.
    pub fn is_applied(&self, id: &MigrationId) -> bool {
        self.row(id).is_some_and(Row::is_applied)
    }
}

/// What happened to a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// Its up ran.
    Applied,
    /// Its down ran.
    RolledBack,
    /// Marked applied by hand.
    MarkedApplied,
    /// Marked rolled back by hand.
    MarkedRolledBack,
    /// Adopted with a database made by hand.
    Baselined,
    /// Brought into agreement by a repair.
    Repaired,
    /// Its up or down failed and was undone.
    Failed,
}

impl EventKind {
    /// Every kind, for reading one back.
    pub const ALL: [Self; 7] = [
        Self::Applied,
        Self::RolledBack,
        Self::MarkedApplied,
        Self::MarkedRolledBack,
        Self::Baselined,
        Self::Repaired,
        Self::Failed,
    ];

    /// The word in the table and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::RolledBack => "rolled_back",
            Self::MarkedApplied => "marked_applied",
            Self::MarkedRolledBack => "marked_rolled_back",
            Self::Baselined => "baselined",
            Self::Repaired => "repaired",
            Self::Failed => "failed",
        }
    }
}

/// One event of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The migration.
    pub id: MigrationId,
    /// Its name at the time.
    pub name: String,
    /// What happened.
    pub event: EventKind,
    /// When, RFC 3339 in UTC with milliseconds where it can be read as an instant.
    pub at: String,
    /// Who, where it is known.
    pub who: Option<String>,
    /// On which host, where it is known.
    pub host: Option<String>,
    /// Why, for what was done by hand.
    pub reason: Option<String>,
    /// How long it ran.
    pub duration_ms: Option<i64>,
    /// The error of a failure, or what a repair did.
    pub detail: Option<String>,
}

/// What a record does to the migration's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// It counts as applied from now on.
    Applied {
        /// The checksum of what ran.
        checksum: Option<Checksum>,
        /// How it is known.
        witness: Witness,
    },
    /// It counts as rolled back from now on.
    RolledBack {
        /// How it is known.
        witness: Witness,
    },
    /// Its row stays as it is, if there is one.
    None,
}

/// A change of a row and the event that tells of it, written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What happens to the row.
    pub change: RowChange,
    /// The event; its `at` is the instant in the row too.
    pub event: Event,
}

/// An instant as the ledger's columns keep it: UTC, milliseconds, in the incident's form.
pub fn ledger_instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// An instant as reports print it.
pub fn report_instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A ledger's text as reports print it; a text that is not a time stays as it is.
pub fn reported(text: &str) -> String {
    let with_offset = text.parse::<Timestamp>().ok();
    let civil = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    with_offset.or_else(civil).map_or_else(|| text.to_owned(), report_instant)
}

/// The history that the rows of an old ledger imply.
pub fn implied_history(ledger: &Ledger) -> Vec<Event> {
    let event = |row: &Row, event, at: &str| Event {
        id: row.id(),
        name: row.name.clone(),
        event,
        at: reported(at),
        who: row.applied_by.clone(),
        host: None,
        reason: None,
        duration_ms: row.duration_ms,
        detail: Some("read from the older ledger".to_owned()),
    };
    let mut events = Vec::new();
    for row in &ledger.rows {
        events.extend(row.applied_at.as_deref().map(|at| event(row, EventKind::Applied, at)));
        events.extend(row.rolled_back_at.as_deref().map(|at| event(row, EventKind::RolledBack, at)));
    }
    events.sort_by(|a, b| a.at.cmp(&b.at));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incidents_instants_are_reported_as_rfc_3339() {
        assert_eq!(reported("2025-06-28 11:35:15"), "2025-06-28T11:35:15.000Z");
        assert_eq!(reported("2025-06-28T11:35:15.25+02:00"), "2025-06-28T09:35:15.250Z");
        assert_eq!(reported("yesterday"), "yesterday");
    }

    #[test]
    fn the_ledgers_own_form_can_be_read_back() {
        let at: Timestamp = "2025-06-28T11:35:15.5Z".parse().unwrap();
        assert_eq!(ledger_instant(at), "2025-06-28 11:35:15.500");
        assert_eq!(reported(&ledger_instant(at)), report_instant(at));
    }
}
