use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{ApplySchedules, ScheduleDefinition, StoreError};

/// The schedules of this process that a database has not got. It settles none before: one that was in this database,
/// and whose queue is in another one now, would run in both.
#[derive(Debug, Default)]
pub(crate) struct MissedSchedules {
    by_place: Mutex<BTreeMap<usize, Missed>>,
}

#[derive(Debug)]
struct Missed {
    /// In the order in which they were applied elsewhere, each without what a later one defines anew.
    applies: Vec<ApplySchedules>,
    /// The last error of the database.
    error: Arc<StoreError>,
}

impl MissedSchedules {
    fn by_place(&self) -> MutexGuard<'_, BTreeMap<usize, Missed>> {
        self.by_place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A database has not got these. Of two definitions of one schedule the later one counts. Returns whether the cause
    /// is another one than before.
    pub(crate) fn add(&self, place: usize, apply: &ApplySchedules, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let earlier = by_place.remove(&place);
        let is_news = earlier.as_ref().is_none_or(|earlier| earlier.error.code() != error.code());
        let mut applies = earlier.map_or_else(Vec::new, |earlier| earlier.applies);
        keep(&mut applies, |earlier| !defines(apply, earlier));
        applies.push(apply.clone());
        by_place.insert(place, Missed { applies, error: Arc::clone(error) });
        is_news
    }

    /// A database has refused again what it must still be told. Returns whether the cause is another one than before.
    pub(crate) fn note(&self, place: usize, error: &Arc<StoreError>) -> bool {
        let mut by_place = self.by_place();
        let Some(missed) = by_place.get_mut(&place) else { return false };
        let earlier = std::mem::replace(&mut missed.error, Arc::clone(error));
        earlier.code() != error.code()
    }

    /// A database was told later definitions, which earlier ones must not replace.
    pub(crate) fn supersede(&self, place: usize, apply: &ApplySchedules) {
        self.retain(place, |earlier| !defines(apply, earlier));
    }

    /// A database has these now. What was missed meanwhile stays.
    pub(crate) fn told(&self, place: usize, apply: &ApplySchedules) {
        self.retain(place, |definition| !apply.definitions.contains(definition));
    }

    fn retain(&self, place: usize, is_kept: impl Fn(&ScheduleDefinition) -> bool) {
        let mut by_place = self.by_place();
        if let Some(missed) = by_place.get_mut(&place) {
            keep(&mut missed.applies, is_kept);
            if missed.applies.is_empty() {
                by_place.remove(&place);
            }
        }
    }

    /// What a database must still be told, in this order.
    pub(crate) fn of(&self, place: usize) -> Vec<ApplySchedules> {
        self.by_place().get(&place).map(|missed| missed.applies.clone()).unwrap_or_default()
    }

    /// Why a database must still be told something; none if it has got everything.
    pub(crate) fn why(&self, place: usize) -> Option<Arc<StoreError>> {
        self.by_place().get(&place).map(|missed| Arc::clone(&missed.error))
    }
}

fn defines(apply: &ApplySchedules, schedule: &ScheduleDefinition) -> bool {
    apply.definitions.iter().any(|definition| definition.name == schedule.name)
}

fn keep(applies: &mut Vec<ApplySchedules>, is_kept: impl Fn(&ScheduleDefinition) -> bool) {
    applies.iter_mut().for_each(|apply| apply.definitions.retain(&is_kept));
    applies.retain(|apply| !apply.definitions.is_empty());
}
