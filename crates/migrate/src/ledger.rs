//! What the database says was applied: one row a migration, and a history that only grows.

mod attribute;
mod foreign;

use std::collections::HashMap;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

pub use attribute::Evidence;
pub use foreign::{ForeignLedger, Tool};

use crate::{files::checksum::Checksum, files::migration::MigrationId};

/// The ledger of the application's own source, perhaps shared with another manager: only the incident's five columns of
/// it are read and written, and it is never altered.
pub const TABLE: &str = "schema_migrations";
/// The ledger of every other source, the queue's first of all. For the application's source it keeps what [`TABLE`] has
/// no column for.
pub const OWN_TABLE: &str = "longshore_migrations";
/// What is appended to the ledger's name for the tables that belong to it.
pub const SUFFIXES: [&str; 3] = ["_history", "_checkpoints", "_verified"];
/// The `detail` of a history event that was made up from a row that somebody else had written.
pub const READ_FROM_OLDER: &str = "read from the older ledger";

/// In what form the ledgers were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// There is none.
    Missing,
    /// [`TABLE`] alone, as another manager keeps it; read as it is.
    Old,
    /// Every source in [`TABLE`], as Longshore kept it once; split on the first write.
    Combined,
    /// Each source in its own.
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
    /// The source; `None` for a row of [`TABLE`] that this program did not write, until it is attributed.
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
    /// How long it ran; `None` for what was marked or was written by another program.
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

    /// The id; a row that nobody could attribute is in the application's ledger.
    pub fn id(&self) -> MigrationId {
        MigrationId::new(self.source.as_deref().unwrap_or(crate::files::source::APP), self.number)
    }

    /// What another manager reads of it.
    pub fn shared(&self) -> SharedRow {
        SharedRow {
            number: self.number,
            name: self.name.clone(),
            applied_at: self.applied_at.clone(),
            rolled_back_at: self.rolled_back_at.clone(),
        }
    }
}

/// A row of [`TABLE`] as another manager reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedRow {
    /// The migration's number.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// When it was applied, as written.
    pub applied_at: Option<String>,
    /// When it was rolled back, as written; then it is not applied.
    pub rolled_back_at: Option<String>,
}

/// The ledgers as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Their form.
    pub form: Form,
    /// The rows of known sources, by source and number. Rows without a source are still to be attributed.
    pub rows: Vec<Row>,
    /// What belongs to another manager: named, and no reason for anything.
    pub theirs: Vec<Row>,
    /// What another manager continues to read of migrations that a source of ours has, too.
    pub shared: Vec<Row>,
    /// What the other manager has to be told, or it would run again what has run: written when ledgers are split, after
    /// a repair and after an adoption.
    pub marks: Vec<SharedRow>,
    /// Whether another manager has written to [`TABLE`].
    pub has_other_manager: bool,
    /// Ledgers of other tools beside it, read and never written.
    pub foreign: Vec<ForeignLedger>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            form: Form::Missing,
            rows: Vec::new(),
            theirs: Vec::new(),
            shared: Vec::new(),
            marks: Vec::new(),
            has_other_manager: false,
            foreign: Vec::new(),
        }
    }
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
    /// Taken over with the table of another system.
    Adopted,
    /// Given back: the table of the other system is as it was.
    AdoptionUndone,
    /// Its up or down failed and was undone.
    Failed,
}

impl EventKind {
    /// Every kind, for reading one back.
    pub const ALL: [Self; 9] = [
        Self::Applied,
        Self::RolledBack,
        Self::MarkedApplied,
        Self::MarkedRolledBack,
        Self::Baselined,
        Self::Repaired,
        Self::Adopted,
        Self::AdoptionUndone,
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
            Self::Adopted => "adopted",
            Self::AdoptionUndone => "adoption_undone",
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

/// A change of a row and the event that reports it, written together.
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

/// The history that the rows of an old ledger imply, those of another manager among them.
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
        detail: Some(READ_FROM_OLDER.to_owned()),
    };
    let mut events = Vec::new();
    for row in ledger.rows.iter().chain(&ledger.theirs) {
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
