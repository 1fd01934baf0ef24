use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, JobId, Lease, Record};

/// The outcome of an attempt that is not stored yet, and when the attempt ended, by the worker's monotonic clock.
#[derive(Clone, Debug)]
pub(crate) struct EndedAttempt {
    pub(crate) record: Record,
    pub(crate) ended_at: Duration,
    /// Whether the database has rejected it before, and the end of its job as well.
    pub(crate) was_refused: bool,
}

impl EndedAttempt {
    pub(crate) const fn new(record: Record, ended_at: Duration) -> Self {
        Self { record, ended_at, was_refused: false }
    }

    /// The claim under which it ran.
    pub(crate) const fn claim(&self) -> (JobId, ClaimNumber) {
        (self.record.id, self.record.claim_number)
    }

    /// Returns a lease; the attempt is not counted.
    pub(crate) const fn returned(lease: &Lease, ended_at: Duration) -> Self {
        Self::new(Record::returned(lease), ended_at)
    }
}

/// Outcomes that are being stored, which may take minutes.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeBatch {
    records: Arc<[Record]>,
    /// When each ended, and whether it was rejected before.
    marks: Vec<(Duration, bool)>,
}

impl OutcomeBatch {
    pub(crate) fn new(ended: Vec<EndedAttempt>) -> Self {
        let marks = ended.iter().map(|ended| (ended.ended_at, ended.was_refused)).collect();
        Self { records: ended.into_iter().map(|ended| ended.record).collect(), marks }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records with their ages at this time, for the next call of the store. The store no longer uses the previous
    /// ones, so they are changed in place.
    pub(crate) fn hand_over(&mut self, now: Duration) -> Arc<[Record]> {
        let records = Arc::make_mut(&mut self.records);
        for (record, (ended_at, _)) in records.iter_mut().zip(&self.marks) {
            record.ended_ago = now.saturating_sub(*ended_at);
        }
        Arc::clone(&self.records)
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// One of them, as it waited before.
    pub(crate) fn ended(&self, place: usize) -> EndedAttempt {
        let (ended_at, was_refused) = self.marks[place];
        EndedAttempt { record: self.records[place].clone(), ended_at, was_refused }
    }

    /// All of them, as they waited before.
    pub(crate) fn all_ended(&self) -> impl Iterator<Item = EndedAttempt> {
        (0..self.records.len()).map(|place| self.ended(place))
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{ClaimNumber, JobId, Outcome};

    use super::*;

    fn ended(id: i64, ended_at: u64) -> EndedAttempt {
        let record = Record {
            id: JobId(id),
            claim_number: ClaimNumber(1),
            outcome: Outcome::Returned,
            attempt: 1,
            ran: None,
            ended_ago: Duration::ZERO,
            log: Vec::new(),
            slow_down: None,
        };
        EndedAttempt::new(record, Duration::from_secs(ended_at))
    }

    #[test]
    fn each_hand_over_measures_the_ages_anew_without_copying_the_records() {
        let mut batch = OutcomeBatch::new(vec![ended(1, 10), ended(2, 13)]);
        let ages = |records: &[Record]| records.iter().map(|record| record.ended_ago.as_secs()).collect::<Vec<_>>();

        let first = batch.hand_over(Duration::from_secs(13));
        let place = first.as_ptr();
        assert_eq!(ages(&first), [3, 0]);
        drop(first);

        let second = batch.hand_over(Duration::from_secs(73));
        assert_eq!((ages(&second), second.as_ptr()), (vec![63, 60], place));
        // A store that still uses the records keeps the ones that it was given.
        let third = batch.hand_over(Duration::from_secs(74));
        assert_eq!((ages(&second), ages(&third)), (vec![63, 60], vec![64, 61]));
    }
}
