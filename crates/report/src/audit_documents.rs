use longshore_core::{AuditEntry, AuditId};
use serde::Serialize;

/// A page of the audit trail, newest first.
#[derive(Debug, Serialize)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// After which entry the next page begins; none if there is none.
    pub next: Option<AuditId>,
}

impl AuditPage {
    /// A page that was read with this limit.
    pub fn new(entries: Vec<AuditEntry>, limit: u32) -> Self {
        let is_full = entries.len() >= limit as usize;
        let next = entries.last().filter(|_| is_full).map(|entry| entry.id);
        Self { entries, next }
    }
}
