use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{ApplyLimits, LimitRule, LimitSubject, StoreError};

/// The rule of a subject; none removes it.
type MissedRule = (LimitSubject, Option<LimitRule>);

/// The limits of the workers of this process that a database has not got. No job may be claimed there before it has
/// them.
#[derive(Debug, Default)]
pub(crate) struct MissedLimits {
    by_place: Mutex<BTreeMap<usize, Missed>>,
}

#[derive(Debug)]
struct Missed {
    apply: ApplyLimits,
    /// The last error of the database.
    error: Arc<StoreError>,
}

impl MissedLimits {
    fn by_place(&self) -> MutexGuard<'_, BTreeMap<usize, Missed>> {
        self.by_place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A database has not got these. Of two rules for one subject the later one counts. Returns whether the cause is
    /// another one than before.
    pub(crate) fn add(&self, place: usize, apply: &ApplyLimits, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let earlier = by_place.remove(&place);
        let is_news = earlier.as_ref().is_none_or(|earlier| earlier.error.code() != error.code());
        let mut rules = earlier.map_or_else(Vec::new, |earlier| earlier.apply.rules);
        rules.retain(|(subject, _)| !apply.rules.iter().any(|(later, _)| later == subject));
        rules.extend(apply.rules.iter().cloned());
        by_place.insert(place, Missed { apply: ApplyLimits { rules }, error: Arc::clone(error) });
        is_news
    }

    /// A database has refused again what it must still be told. Returns whether the cause is another one than before.
    pub(crate) fn note(&self, place: usize, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let Some(missed) = by_place.get_mut(&place) else { return false };
        let earlier = std::mem::replace(&mut missed.error, Arc::clone(error));
        earlier.code() != error.code()
    }

    /// A database was told later ones, which earlier ones must not replace.
    pub(crate) fn supersede(&self, place: usize, apply: &ApplyLimits) {
        self.retain(place, |(subject, _)| !apply.rules.iter().any(|(later, _)| later == subject));
    }

    /// A database has these now. What was missed meanwhile stays.
    pub(crate) fn told(&self, place: usize, apply: &ApplyLimits) {
        self.retain(place, |rule| !apply.rules.contains(rule));
    }

    fn retain(&self, place: usize, is_kept: impl Fn(&MissedRule) -> bool) {
        let mut by_place = self.by_place();
        if let Some(missed) = by_place.get_mut(&place) {
            missed.apply.rules.retain(is_kept);
            if missed.apply.rules.is_empty() {
                by_place.remove(&place);
            }
        }
    }

    /// What a database must still be told.
    pub(crate) fn of(&self, place: usize) -> Option<ApplyLimits> {
        self.by_place().get(&place).map(|missed| missed.apply.clone())
    }

    /// Whether a database must still be told something.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        self.by_place().contains_key(&place)
    }

    /// Why a database must still be told something; none if it has got everything.
    pub(crate) fn why(&self, place: usize) -> Option<Arc<StoreError>> {
        self.by_place().get(&place).map(|missed| Arc::clone(&missed.error))
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!((missed.of(0), missed.of(1)), (None, Some(apply("mail", 3))));
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
        assert_eq!(missed.of(1), Some(apply("note", 2)));
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
