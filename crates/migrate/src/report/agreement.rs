use serde::Serialize;

/// Whether files, ledger and schema agree. Where several answers hold it is the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// They agree, and nothing is pending.
    InOrder,
    /// They agree, and a migration is pending.
    Pending,
    /// The schema disagrees with the ledger.
    SchemaDisagrees,
    /// The history is broken.
    HistoryBroken,
}
