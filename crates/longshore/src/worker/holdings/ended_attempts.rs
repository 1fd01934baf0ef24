use std::sync::Arc;

use longshore_core::{Lease, Record, Report, Timestamp, WorkerId};

/// Beyond this many outcomes that could not be stored, nothing more is claimed.
const ENDED_MAX: usize = 10_000;

/// What attempts came to that is not stored yet.
#[derive(Debug, Default)]
pub(super) struct EndedAttempts {
    records: Vec<Record>,
    /// What attempts that have ended said last about how far they were; stored before their outcomes.
    last_reports: Vec<Report>,
    /// Whether outcomes or last reports are on their way into the store.
    is_recording: bool,
}

/// What an attempt that has ended leaves to be stored.
#[derive(Debug)]
pub(crate) enum Conclusion {
    /// Its outcome.
    Outcome(Record),
    /// Only the rest of its log: it completed its job in a transaction of its own.
    Committed(Report),
}

/// Outcomes on their way into the store.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) worker_id: WorkerId,
    /// What their attempts, and perhaps others that have ended, said last; to be stored first.
    pub(crate) last_reports: Arc<[Report]>,
    pub(crate) records: Arc<[Record]>,
}

impl EndedAttempts {
    pub(super) fn push(&mut self, conclusion: Conclusion, last_report: Option<Report>) {
        match conclusion {
            Conclusion::Outcome(record) => {
                self.last_reports.extend(last_report);
                self.records.push(record);
            }
            Conclusion::Committed(report) => self.last_reports.push(report),
        }
    }

    pub(super) fn push_record(&mut self, record: Record) {
        self.records.push(record);
    }

    pub(super) fn push_returned<'a>(&mut self, leases: impl IntoIterator<Item = &'a Lease>, now: Timestamp) {
        self.records.extend(leases.into_iter().map(|lease| Record::returned(lease, now)));
    }

    /// What is next to be stored, oldest first; to be followed by `recorded` or `put_back`.
    pub(super) fn take(&mut self, worker_id: &WorkerId, most: usize) -> Option<Ended> {
        if !self.has_next() {
            return None;
        }
        let is_all = self.records.len() <= most;
        let records: Vec<Record> =
            if is_all { std::mem::take(&mut self.records) } else { self.records.drain(..most).collect() };
        self.is_recording = true;
        let last_reports = std::mem::take(&mut self.last_reports).into();
        Some(Ended { worker_id: worker_id.clone(), last_reports, records: records.into() })
    }

    /// What was taken is stored or given up.
    pub(super) const fn recorded(&mut self) {
        self.is_recording = false;
    }

    /// What was taken is not stored: it is the next to be taken again.
    pub(super) fn put_back(&mut self, ended: &Ended) {
        self.is_recording = false;
        self.last_reports.splice(..0, ended.last_reports.iter().cloned());
        self.records.splice(..0, ended.records.iter().cloned());
    }

    /// Whether something waits to be taken.
    pub(super) const fn has_next(&self) -> bool {
        !(self.records.is_empty() && self.last_reports.is_empty())
    }

    /// Whether everything is stored.
    pub(super) const fn is_recorded(&self) -> bool {
        !self.has_next() && !self.is_recording
    }

    /// Whether the store has fallen so far behind that nothing more is claimed.
    pub(super) const fn is_full(&self) -> bool {
        self.records.len() > ENDED_MAX
    }
}
