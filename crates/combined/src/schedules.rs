use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, Backend, ChangeSchedule, JobId, ScheduleChange, ScheduleDefinition,
    ScheduleRecord, Schedules, SchedulesRequest, SettleSchedules, SettledSchedules, StoreError, StoreFuture, TickPage,
    TicksRequest,
};

use crate::combined_store::CombinedStore;
use crate::members::{Answers, LONG, every, reachable};

const PAGE_MAX: u32 = 1000;
/// The queue of a job that names none.
const DEFAULT_QUEUE: &str = "default";

type Store = Arc<dyn Backend>;

/// A schedule is in the database of its job's queue, because a tick and its job are one transaction. Where a change of the
/// configuration brings the queue to another database, applying the schedule brings it along: it starts there anew.
impl Schedules for CombinedStore {
    fn apply_schedules(&self, apply: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        Box::pin(async move {
            let strays = self.strays(&apply).await?;
            if !apply.dry_run {
                // First: a schedule in two databases would run twice.
                for (place, name) in &strays {
                    self.remove(*place, name, &apply).await?;
                }
            }
            let call = |store: Store, own: ApplySchedules| -> StoreFuture<'static, _> {
                Box::pin(async move { store.apply_schedules(own).await })
            };
            let answers = every(self.shared.members.ask(LONG, self.parts_of(&apply), call).await)?;
            let moved: BTreeSet<&str> = strays.iter().map(|(_, name)| name.as_str()).collect();
            Ok(merged(answers.into_iter().map(|(_, applied)| applied), &moved))
        })
    }

    fn change_schedule(&self, change: ChangeSchedule) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let change = change.clone();
                Box::pin(async move { store.change_schedule(change).await })
            });
            first_known(answers.await, |is_known| *is_known).map(|known| known.unwrap_or(false))
        })
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        Box::pin(async move {
            let limit = request.limit.clamp(1, PAGE_MAX) as usize;
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.schedules(request).await })
            });
            let mut all: Vec<ScheduleRecord> =
                reachable(answers.await)?.into_iter().flat_map(|(_, records)| records).collect();
            all.sort_by(|left, right| left.name.cmp(&right.name));
            all.truncate(limit);
            Ok(all)
        })
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        Box::pin(async move {
            let limit = request.limit.clamp(1, PAGE_MAX);
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.ticks(request).await })
            });
            let pages: Vec<TickPage> = reachable(answers.await)?.into_iter().map(|(_, page)| page).collect();
            let has_more = pages.iter().any(|page| page.next.is_some());
            let mut all: Vec<_> = pages.into_iter().flat_map(|page| page.ticks).collect();
            all.sort_by_key(|tick| std::cmp::Reverse(tick.due_at));
            let mut page = TickPage::of(all, limit);
            page.next = page.next.or_else(|| page.ticks.last().map(|tick| tick.due_at).filter(|_| has_more));
            Ok(page)
        })
    }

    /// In every database that answers. The others settle theirs later, by the rules for what was missed.
    fn settle_schedules(&self, settle: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let settle = settle.clone();
                Box::pin(async move { store.settle_schedules(settle).await })
            });
            let mut all = SettledSchedules::default();
            for (_, settled) in reachable(answers.await)? {
                let SettledSchedules { ticks, has_more, next_due, warnings, unsettled } = settled;
                all.ticks.extend(ticks);
                all.has_more |= has_more;
                all.next_due = all.next_due.into_iter().chain(next_due).min();
                all.warnings.extend(warnings);
                all.unsettled.extend(unsettled);
            }
            Ok(all)
        })
    }

    fn add_ticks(&self, add: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let add = add.clone();
                Box::pin(async move { store.add_ticks(add).await })
            });
            first_known(answers.await, Option::is_some).map(Option::flatten)
        })
    }
}

impl CombinedStore {
    fn home_of(&self, definition: &ScheduleDefinition) -> usize {
        self.shared.members.home(definition.job.queue.as_deref().unwrap_or(DEFAULT_QUEUE))
    }

    /// For each database its own definitions; one without any may still have something to prune.
    fn parts_of(&self, apply: &ApplySchedules) -> Vec<(usize, ApplySchedules)> {
        let mut parts: BTreeMap<usize, Vec<ScheduleDefinition>> = BTreeMap::new();
        if apply.prune {
            parts.extend((0..self.shared.members.all().len()).map(|place| (place, Vec::new())));
        }
        for definition in &apply.definitions {
            parts.entry(self.home_of(definition)).or_default().push(definition.clone());
        }
        let part = |(place, definitions)| (place, ApplySchedules { definitions, ..apply.clone() });
        parts.into_iter().map(part).collect()
    }

    /// The schedules of these names that are in another database than the one of their queue.
    async fn strays(&self, apply: &ApplySchedules) -> Result<Vec<(usize, String)>, StoreError> {
        let homes: BTreeMap<&str, usize> =
            apply.definitions.iter().map(|definition| (definition.name.as_str(), self.home_of(definition))).collect();
        let mut strays = Vec::new();
        let names: Vec<String> = homes.keys().map(|name| (*name).to_owned()).collect();
        for names in names.chunks(PAGE_MAX as usize) {
            let request = SchedulesRequest { names: Some(names.to_vec()), after: None, limit: PAGE_MAX };
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.schedules(request).await })
            });
            // One that does not answer now cannot hold up the others.
            for (place, records) in reachable(answers.await)? {
                let elsewhere = records.into_iter().filter(|record| homes.get(record.name.as_str()) != Some(&place));
                strays.extend(elsewhere.map(|record| (place, record.name)));
            }
        }
        Ok(strays)
    }

    async fn remove(&self, place: usize, name: &str, apply: &ApplySchedules) -> Result<(), StoreError> {
        let change = ChangeSchedule {
            name: name.to_owned(),
            change: ScheduleChange::Remove,
            planner: Arc::clone(&apply.planner),
            decided_by: apply.decided_by.clone(),
        };
        let members = &self.shared.members;
        members.ask_one(place, move |store| Box::pin(async move { store.change_schedule(change).await })).await?;
        Ok(())
    }
}

/// What all databases say. A schedule that moves from one to another is neither new nor removed.
fn merged(parts: impl Iterator<Item = AppliedSchedules>, moved: &BTreeSet<&str>) -> AppliedSchedules {
    let mut all = AppliedSchedules::default();
    for AppliedSchedules { added, changed, removed, unchanged } in parts {
        let (came, added): (Vec<String>, Vec<String>) =
            added.into_iter().partition(|name| moved.contains(name.as_str()));
        all.added.extend(added);
        all.changed.extend(changed.into_iter().chain(came));
        all.removed.extend(removed.into_iter().filter(|name| !moved.contains(name.as_str())));
        all.unchanged.extend(unchanged);
    }
    for names in [&mut all.added, &mut all.changed, &mut all.removed, &mut all.unchanged] {
        names.sort();
    }
    all
}

/// The answer of the database that knows the schedule. Where none does, one that did not answer may.
fn first_known<T>(answers: Answers<T>, is_known: impl Fn(&T) -> bool) -> Result<Option<T>, StoreError> {
    let mut error = None;
    for (_, answer) in answers {
        match answer {
            Ok(answer) if is_known(&answer) => return Ok(Some(answer)),
            Ok(_) => {}
            Err(of_one) => error = error.or(Some(of_one)),
        }
    }
    error.map_or(Ok(None), Err)
}
