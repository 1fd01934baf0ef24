//! What a worker applies at its start, and a database has not got yet: limits and schedules.

mod limits;
mod schedules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{ApplySchedules, StoreError};

use crate::missed::limits::Rules;

/// The limits of the workers of this process that a database has not got. No job may be claimed there before it has
/// them.
pub(crate) type MissedLimits = Missed<Rules>;

/// The schedules of this process that a database has not got, in the order in which they were applied elsewhere. It
/// settles none before: one that was in this database, and whose queue is in another one now, would run in both.
pub(crate) type MissedSchedules = Missed<Vec<ApplySchedules>>;

/// What the log says of it.
pub(crate) const LIMITS_MISSED: &str = "the limits could not be set in a database; its jobs wait";
pub(crate) const SCHEDULES_MISSED: &str =
    "the schedules could not be applied in a database; they will be as soon as that is possible";

/// What one database has not got.
pub(crate) trait Backlog: Clone + Default {
    /// What is applied at once.
    type Apply;

    /// Adds this at the end.
    fn push(&mut self, apply: &Self::Apply);

    /// Drops what a later call says anew: another rule for the same subject, another definition of the same schedule.
    fn supersede(&mut self, later: &Self::Apply);

    /// Drops what is the same in this.
    fn remove(&mut self, told: &Self::Apply);

    fn is_empty(&self) -> bool;
}

/// What databases have not got, by their places, each with its last error.
#[derive(Debug)]
pub(crate) struct Missed<B> {
    by_place: Mutex<BTreeMap<usize, (B, Arc<StoreError>)>>,
}

impl<B> Default for Missed<B> {
    fn default() -> Self {
        Self { by_place: Mutex::default() }
    }
}

impl<B: Backlog> Missed<B> {
    fn by_place(&self) -> MutexGuard<'_, BTreeMap<usize, (B, Arc<StoreError>)>> {
        self.by_place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A database has not got this. Returns whether the cause is another one than before.
    pub(crate) fn add(&self, place: usize, apply: &B::Apply, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let earlier = by_place.remove(&place);
        let is_news = earlier.as_ref().is_none_or(|(_, earlier)| earlier.code() != error.code());
        let mut backlog = earlier.map(|(backlog, _)| backlog).unwrap_or_default();
        backlog.supersede(apply);
        backlog.push(apply);
        by_place.insert(place, (backlog, Arc::clone(error)));
        is_news
    }

    /// A database has refused again what it must still be told. Returns whether the cause is another one than before.
    pub(crate) fn note(&self, place: usize, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let Some((_, last)) = by_place.get_mut(&place) else { return false };
        std::mem::replace(last, Arc::clone(error)).code() != error.code()
    }

    /// A database was told this later call, which earlier ones must not replace.
    pub(crate) fn supersede(&self, place: usize, later: &B::Apply) {
        self.reduce(place, |backlog| backlog.supersede(later));
    }

    /// A database has this now. What was missed meanwhile stays.
    pub(crate) fn told(&self, place: usize, apply: &B::Apply) {
        self.reduce(place, |backlog| backlog.remove(apply));
    }

    fn reduce(&self, place: usize, reduce: impl FnOnce(&mut B)) {
        let mut by_place = self.by_place();
        if let Some((backlog, _)) = by_place.get_mut(&place) {
            reduce(backlog);
            if backlog.is_empty() {
                by_place.remove(&place);
            }
        }
    }

    /// What a database must still be told.
    pub(crate) fn of(&self, place: usize) -> Option<B> {
        self.by_place().get(&place).map(|(backlog, _)| backlog.clone())
    }

    /// Whether a database must still be told something.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        self.by_place().contains_key(&place)
    }

    /// Why a database must still be told something; none if it has got everything.
    pub(crate) fn why(&self, place: usize) -> Option<Arc<StoreError>> {
        self.by_place().get(&place).map(|(_, error)| Arc::clone(error))
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{ApplyLimits, LimitRule, LimitSubject};

    use super::*;

    fn apply(job_type: &str, concurrency: u32) -> ApplyLimits {
        let rule = LimitRule { concurrency: Some(concurrency), ..LimitRule::default() };
        ApplyLimits { rules: vec![(LimitSubject::Type(job_type.to_owned()), Some(rule))] }
    }

    fn closed() -> Arc<StoreError> {
        Arc::new(StoreError::Closed { database: "mail".into() })
    }

    fn lost() -> Arc<StoreError> {
        Arc::new(StoreError::Backend { database: "mail".into(), doing: "answering", source: "it was lost".into() })
    }

    #[test]
    fn the_last_rule_of_a_subject_is_told_and_a_later_one_stays() {
        let missed = MissedLimits::default();
        missed.add(1, &apply("mail", 2), &closed());
        missed.add(1, &apply("mail", 3), &closed());
        assert_eq!((missed.of(0), missed.of(1)), (None, Some(apply("mail", 3).rules)));
        missed.told(1, &apply("mail", 2));
        assert!(missed.why(1).is_some(), "the rule has changed meanwhile");
        missed.told(1, &apply("mail", 3));
        assert!(missed.why(1).is_none());
    }

    #[test]
    fn a_rule_that_a_database_has_heard_since_is_not_replaced_by_a_missed_one() {
        let missed = MissedLimits::default();
        missed.add(1, &apply("mail", 2), &closed());
        missed.add(1, &apply("note", 2), &closed());
        missed.supersede(1, &apply("mail", 5));
        assert_eq!(missed.of(1), Some(apply("note", 2).rules));
    }

    #[test]
    fn a_cause_is_news_once_and_the_last_one_is_kept() {
        let missed = MissedLimits::default();
        assert!(!missed.note(1, &closed()), "nothing is missed");
        assert!(missed.add(1, &apply("mail", 2), &closed()));
        assert!(!missed.add(1, &apply("note", 2), &closed()) && !missed.note(1, &closed()));
        assert!(missed.note(1, &lost()) && !missed.note(1, &lost()));
        assert_eq!(missed.why(1).unwrap().code(), "database_failed");
    }
}
