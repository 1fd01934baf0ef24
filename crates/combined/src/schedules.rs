use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, Backend, ChangeSchedule, JobId, ScheduleChange, ScheduleDefinition,
    ScheduleRecord, Schedules, SchedulesRequest, SettleSchedules, SettledSchedules, StoreError, StoreFuture, TickPage,
    TicksRequest,
};

use crate::combined_store::{CombinedStore, Shared};
use crate::member::{Member, is_of_database, source_of};
use crate::members::{Answers, LONG, reachable};
use crate::missed::SCHEDULES_MISSED;

const PAGE_MAX: u32 = 1000;
/// The queue of a job that names none.
const DEFAULT_QUEUE: &str = "default";

type Store = Arc<dyn Backend>;

/// By the place of a database, why it could not do its part.
type Failures = BTreeMap<usize, Arc<StoreError>>;

/// Schedules that are in another database than the one of their queue.
struct Strays {
    /// Their places and names.
    found: Vec<(usize, String)>,
    /// The databases that could not be looked through.
    unseen: Failures,
}

/// A schedule is in the database of its job's queue, because a tick and its job are one transaction. Where a change of the
/// configuration brings the queue to another database, applying the schedule brings it along: it starts there anew.
impl Schedules for CombinedStore {
    /// In every database that can do it. If one cannot and its cause may pass, the answer is
    /// [`StoreError::InDatabase`], and this store applies what belongs there by itself, once, as soon as it can: do not
    /// repeat the call, which would undo what others have changed elsewhere. A dry run and pruning are not made up for.
    fn apply_schedules(&self, apply: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        Box::pin(async move {
            let Strays { found, unseen } = self.strays(&apply).await?;
            let mut failed = Failures::new();
            if !apply.dry_run {
                // First: a schedule in two databases would run twice.
                failed = self.remove_all(&found, &apply).await?;
            }
            let applied = self.apply_parts(&apply, &unseen, &mut failed).await?;
            if !apply.dry_run && !apply.prune {
                self.keep_missed(&apply, &unseen, &failed);
            }
            if let Some((place, source)) = first_of(&failed) {
                if !apply.dry_run {
                    // The answer does not say it.
                    applied.iter().for_each(|(place, part)| tell_applied(&self.shared.members.all()[*place], part));
                }
                let name = Arc::clone(&self.shared.members.all()[place].name);
                return Err(StoreError::InDatabase { name, source });
            }
            let moved: BTreeSet<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
            Ok(merged(applied.into_iter().map(|(_, part)| part), &moved))
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
            let is_of_one = request.names.as_ref().is_some_and(|names| names.len() == 1);
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.schedules(request).await })
            });
            let answers = answers.await;
            if is_of_one {
                // Otherwise a schedule of a database that does not answer would seem not to exist.
                let known = first_known(answers, |records: &Vec<ScheduleRecord>| !records.is_empty())?;
                return Ok(known.unwrap_or_default());
            }
            let mut all: Vec<ScheduleRecord> =
                reachable(answers)?.into_iter().flat_map(|(_, records)| records).collect();
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

    /// In every database that answers and has the schedules of this process. The others settle theirs later, by the
    /// rules for what was missed.
    fn settle_schedules(&self, settle: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        Box::pin(async move {
            let members = &self.shared.members;
            let (mut parts, mut missed) = (Vec::new(), Vec::new());
            for (place, member) in members.all().iter().enumerate() {
                match self.shared.missed_schedules.why(place) {
                    None => parts.push((place, settle.clone())),
                    Some(source) => {
                        let name = Arc::clone(&member.name);
                        missed.push((place, Err(StoreError::InDatabase { name, source })));
                    }
                }
            }
            let call = |store: Store, settle: SettleSchedules| -> StoreFuture<'static, SettledSchedules> {
                Box::pin(async move { store.settle_schedules(settle).await })
            };
            let mut answers = members.ask(LONG, parts, call).await;
            answers.extend(missed);
            let mut all = SettledSchedules::default();
            for (_, settled) in reachable(answers)? {
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
        home_of(&self.shared, definition)
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

    async fn strays(&self, apply: &ApplySchedules) -> Result<Strays, StoreError> {
        let homes: BTreeMap<&str, usize> =
            apply.definitions.iter().map(|definition| (definition.name.as_str(), self.home_of(definition))).collect();
        let mut strays = Strays { found: Vec::new(), unseen: Failures::new() };
        let names: Vec<String> = homes.keys().map(|name| (*name).to_owned()).collect();
        for names in names.chunks(PAGE_MAX as usize) {
            let request = named(names);
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.schedules(request).await })
            });
            for (place, answer) in answers.await {
                match answer {
                    Ok(records) => {
                        let is_stray = |record: &ScheduleRecord| homes.get(record.name.as_str()) != Some(&place);
                        let found = records.into_iter().filter(is_stray);
                        strays.found.extend(found.map(|record| (place, record.name)));
                    }
                    // One that does not answer now cannot hold up the others.
                    Err(error) if is_of_database(&error) => drop(strays.unseen.insert(place, source_of(error))),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(strays)
    }

    async fn remove_all(&self, strays: &[(usize, String)], apply: &ApplySchedules) -> Result<Failures, StoreError> {
        let mut failed = Failures::new();
        for (place, name) in strays {
            let change = removal(name, apply);
            let members = &self.shared.members;
            let removed =
                members.ask_one(*place, |store| Box::pin(async move { store.change_schedule(change).await })).await;
            match removed {
                Ok(_) => {}
                Err(error) if error.is_passing() => drop(failed.insert(*place, source_of(error))),
                Err(error) => return Err(error),
            }
        }
        Ok(failed)
    }

    /// Applies to each database its part. One that did not answer a moment ago is not asked again.
    async fn apply_parts(
        &self,
        apply: &ApplySchedules,
        unseen: &Failures,
        failed: &mut Failures,
    ) -> Result<Vec<(usize, AppliedSchedules)>, StoreError> {
        let mut parts = Vec::new();
        for (place, part) in self.parts_of(apply) {
            match unseen.get(&place) {
                Some(error) => drop(failed.insert(place, Arc::clone(error))),
                None => parts.push((place, part)),
            }
        }
        let call = |store: Store, own: ApplySchedules| -> StoreFuture<'static, AppliedSchedules> {
            Box::pin(async move { store.apply_schedules(own).await })
        };
        let mut applied = Vec::new();
        for (place, answer) in self.shared.members.ask(LONG, parts, call).await {
            match answer {
                Ok(part) => applied.push((place, part)),
                Err(error) if error.is_passing() => drop(failed.insert(place, source_of(error))),
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    /// Remembers what a database must still be told; where these were applied, earlier ones are out of date.
    fn keep_missed(&self, apply: &ApplySchedules, unseen: &Failures, failed: &Failures) {
        for (place, member) in self.shared.members.all().iter().enumerate() {
            let Some(error) = failed.get(&place).or_else(|| unseen.get(&place)) else {
                self.shared.missed_schedules.supersede(place, apply);
                continue;
            };
            // Waiting does not help otherwise, and the caller is told.
            if error.is_passing() {
                if self.shared.missed_schedules.add(place, apply, error) {
                    member.tell_missed(error, SCHEDULES_MISSED);
                }
                self.shared.trouble.notify_one();
            }
        }
    }
}

/// The failure to return: rather one that does not pass by itself.
fn first_of(failed: &Failures) -> Option<(usize, Arc<StoreError>)> {
    let lasting = failed.iter().find(|(_, error)| !error.is_passing());
    lasting.or_else(|| failed.iter().next()).map(|(place, error)| (*place, Arc::clone(error)))
}

fn home_of(shared: &Shared, definition: &ScheduleDefinition) -> usize {
    shared.members.home(definition.job.queue.as_deref().unwrap_or(DEFAULT_QUEUE))
}

fn named(names: &[String]) -> SchedulesRequest {
    SchedulesRequest { names: Some(names.to_vec()), after: None, limit: PAGE_MAX }
}

fn removal(name: &str, apply: &ApplySchedules) -> ChangeSchedule {
    ChangeSchedule {
        name: name.to_owned(),
        change: ScheduleChange::Remove,
        planner: Arc::clone(&apply.planner),
        decided_by: apply.decided_by.clone(),
    }
}

/// Applies to one database what belongs there, after it has removed what belongs elsewhere.
pub(crate) async fn apply_here(
    shared: &Shared,
    place: usize,
    store: &Store,
    apply: &ApplySchedules,
) -> Result<AppliedSchedules, StoreError> {
    let is_own = |definition: &ScheduleDefinition| home_of(shared, definition) == place;
    let (own, others): (Vec<_>, Vec<_>) = apply.definitions.iter().cloned().partition(is_own);
    let others: Vec<String> = others.into_iter().map(|definition| definition.name).collect();
    for names in others.chunks(PAGE_MAX as usize) {
        for stray in store.schedules(named(names)).await? {
            store.change_schedule(removal(&stray.name, apply)).await?;
        }
    }
    if own.is_empty() {
        return Ok(AppliedSchedules::default());
    }
    store.apply_schedules(ApplySchedules { definitions: own, ..apply.clone() }).await
}

/// Says what was changed in one database, in the words in which a worker says it of a single one.
pub(crate) fn tell_applied(member: &Member, applied: &AppliedSchedules) {
    if applied.has_changes() {
        let (added, changed) = (applied.added.join(", "), applied.changed.join(", "));
        tracing::info!(database = &*member.name, added, changed, "applied schedules");
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
