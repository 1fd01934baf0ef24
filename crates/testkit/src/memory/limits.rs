mod bounds;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longshore_core::{
    AppliedLimits, ApplyLimits, Arrival, ChangeLimit, InvalidLimit, Job, JobId, LimitPage, LimitRule, LimitSource,
    LimitSubject, Limiting, LimitsRequest, MovedLimit, MovedLimitKey, Status, StoreError, StoreFuture, Timestamp,
};

use crate::memory::MemoryStore;
use crate::memory::moving::Passing;
use crate::memory::state::State;

pub(super) use bounds::Bounds;

/// The rules, and the state of rates and turns.
#[derive(Clone, Debug, Default)]
pub(super) struct LimitBook {
    configured: BTreeMap<LimitSubject, LimitRule>,
    manual: BTreeMap<LimitSubject, LimitRule>,
    types: BTreeMap<String, Gate>,
    /// By type and key.
    keys: BTreeMap<(String, String), Gate>,
    /// By type, queue and key; the key is empty for jobs without one.
    lanes: BTreeMap<(String, String, String), Turn>,
}

/// When something may start.
#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    arrival: Arrival,
    closed_until: Option<Timestamp>,
    /// The turn of the lane that was served last; only of a type.
    turn: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    turn: i64,
    served_at: Option<Timestamp>,
}

/// A lane that was not served for so long, and has no jobs, is forgotten.
const IDLE: Duration = Duration::from_secs(3600);

impl LimitBook {
    /// The rule in force, and where it comes from.
    fn rule(&self, subject: &LimitSubject) -> Option<(&LimitRule, LimitSource)> {
        let manual = self.manual.get(subject).map(|rule| (rule, LimitSource::Manual));
        manual.or_else(|| self.configured.get(subject).map(|rule| (rule, LimitSource::Config)))
    }

    pub(super) fn of_type(&self, job_type: &str) -> Option<&LimitRule> {
        self.rule(&LimitSubject::Type(job_type.to_owned())).map(|(rule, _)| rule)
    }

    pub(super) fn of_queue(&self, queue: &str) -> Option<u32> {
        self.rule(&LimitSubject::Queue(queue.to_owned())).and_then(|(rule, _)| rule.concurrency)
    }

    /// Whether a job is under any limit, or its type was asked to slow down and is not forgotten yet.
    pub(super) fn covers(&self, job_type: &str, queue: &str) -> bool {
        let is_closed = self.types.get(job_type).is_some_and(|gate| gate.closed_until.is_some());
        is_closed || self.of_type(job_type).is_some() || self.of_queue(queue).is_some()
    }

    /// The key of a job, as far as its type is limited by key. Empty for none.
    pub(super) fn key_of(&self, job: &Job) -> String {
        let Some(pointer) = self.of_type(&job.job_type).and_then(|rule| rule.key.as_ref()) else {
            return String::new();
        };
        job.limit_key.clone().or_else(|| pointer.key_of(&job.job_data)).unwrap_or_default()
    }

    pub(super) fn moved(&self) -> Vec<MovedLimit> {
        let closed = self.types.iter().filter(|(_, gate)| gate.closed_until.is_some());
        let closed = closed.map(|(name, _)| LimitSubject::Type(name.clone()));
        let subjects: BTreeSet<LimitSubject> =
            self.configured.keys().chain(self.manual.keys()).cloned().chain(closed).collect();
        let whole = |subject: LimitSubject| {
            let gate = match &subject {
                LimitSubject::Type(name) => self.types.get(name).copied().unwrap_or_default(),
                LimitSubject::Queue(_) => Gate::default(),
            };
            MovedLimit {
                configured: self.configured.get(&subject).cloned(),
                manual: self.manual.get(&subject).cloned(),
                arrival: gate.arrival,
                closed_until: gate.closed_until,
                subject,
            }
        };
        subjects.into_iter().map(whole).collect()
    }

    pub(super) fn moved_keys(&self) -> Vec<MovedLimitKey> {
        let of_rules = self.keys.iter().filter(|((job_type, _), _)| self.of_type(job_type).is_some());
        MovedLimitKey::normal(of_rules.map(|((job_type, key), gate)| MovedLimitKey {
            job_type: job_type.clone(),
            key: key.clone(),
            arrival: gate.arrival,
            closed_until: gate.closed_until,
        }))
    }

    /// What arrives takes the place of what an earlier move left behind.
    pub(super) fn replace(&mut self, limits: Vec<MovedLimit>, keys: Vec<MovedLimitKey>) {
        *self = Self::default();
        for MovedLimit { subject, configured, manual, arrival, closed_until } in limits {
            if let LimitSubject::Type(name) = &subject {
                self.types.insert(name.clone(), Gate { arrival, closed_until, turn: 0 });
            }
            self.configured.extend(configured.map(|rule| (subject.clone(), rule)));
            self.manual.extend(manual.map(|rule| (subject, rule)));
        }
        for MovedLimitKey { job_type, key, arrival, closed_until } in keys {
            self.keys.insert((job_type, key), Gate { arrival, closed_until, turn: 0 });
        }
    }
}

impl State {
    fn apply_limits(&mut self, apply: ApplyLimits) -> Result<AppliedLimits, StoreError> {
        for (subject, rule) in &apply.rules {
            rule.as_ref().map_or(Ok(()), |rule| rule.check(subject))?;
        }
        let mut applied = AppliedLimits::default();
        let by_subject: BTreeMap<LimitSubject, Option<LimitRule>> = apply.rules.into_iter().collect();
        for (subject, rule) in by_subject {
            let rule = rule.filter(|rule| !rule.is_empty());
            let book = &mut self.limit_book;
            let manual = book.manual.get(&subject);
            if manual.is_some() && manual != rule.as_ref() {
                applied.overridden.push(subject.clone());
            }
            if book.configured.get(&subject) != rule.as_ref() {
                applied.changed.push(subject.clone());
                match rule {
                    Some(rule) => drop(book.configured.insert(subject, rule)),
                    None => drop(book.configured.remove(&subject)),
                }
            }
        }
        Ok(applied)
    }

    fn change_limit(&mut self, change: ChangeLimit) -> Result<bool, StoreError> {
        let ChangeLimit { subject, rule } = change;
        let book = &mut self.limit_book;
        match rule {
            Some(rule) => {
                rule.check(&subject)?;
                if rule.is_empty() {
                    return Err(InvalidLimit::Nothing { subject }.into());
                }
                Ok(book.manual.insert(subject, rule.clone()) != Some(rule))
            }
            None => Ok(book.manual.remove(&subject).or_else(|| book.configured.remove(&subject)).is_some()),
        }
    }

    /// The handler of a job was asked to slow down.
    pub(super) fn slow_down(&mut self, id: JobId, at: Timestamp, span: Duration, now: Timestamp) {
        let until = at.after(span);
        if until <= now {
            return;
        }
        let job = &self.rows[&id].job;
        let (job_type, key) = (job.job_type.clone(), self.limit_book.key_of(job));
        let book = &mut self.limit_book;
        let gate = match key.is_empty() {
            true => book.types.entry(job_type).or_default(),
            false => book.keys.entry((job_type, key)).or_default(),
        };
        gate.closed_until = gate.closed_until.max(Some(until));
    }

    /// Forgets lanes that nobody needs.
    pub(super) fn tidy_lanes(&mut self, now: Timestamp) {
        let old: Vec<_> =
            self.limit_book.lanes.iter().filter(|(_, lane)| lane.served_at < Some(now.before(IDLE))).collect();
        let old: Vec<_> = old.into_iter().map(|(name, _)| name.clone()).collect();
        for name in old {
            let (job_type, queue, key) = &name;
            let stands_in_it = |job: &Job| {
                !job.status.is_ended()
                    && job.job_type == *job_type
                    && job.queue == *queue
                    && self.limit_book.key_of(job) == *key
            };
            let gate = self.limit_book.keys.get(&(job_type.clone(), key.clone())).copied().unwrap_or_default();
            let is_closed =
                gate.arrival.0 > now.as_ms().saturating_mul(1000) || gate.closed_until.is_some_and(|until| until > now);
            if is_closed || self.rows.values().any(|row| stands_in_it(&row.job)) {
                if let Some(lane) = self.limit_book.lanes.get_mut(&name) {
                    lane.served_at = Some(now);
                }
            } else {
                self.limit_book.lanes.remove(&name);
            }
        }
        let book = &mut self.limit_book;
        let spent: Vec<String> = book.types.keys().filter(|name| book.of_type(name).is_none()).cloned().collect();
        for name in spent {
            book.types.get_mut(&name).expect("it is there").closed_until.take_if(|until| *until <= now);
        }
    }

    /// How many jobs run, of those that this holds for.
    fn count_running(&self, is_meant: impl Fn(&Job) -> bool) -> u64 {
        self.rows.values().filter(|row| row.job.status == Status::Running && is_meant(&row.job)).count() as u64
    }
}

impl Limiting for MemoryStore {
    fn apply_limits(&self, apply: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        self.loudly(move |state, _| {
            state.pass(Passing::Never)?;
            state.apply_limits(apply)
        })
    }

    fn change_limit(&self, change: ChangeLimit) -> StoreFuture<'_, bool> {
        self.loudly(move |state, _| {
            state.pass(Passing::Never)?;
            state.change_limit(change)
        })
    }

    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        self.quietly(move |state, moment| Ok(state.limit_page(&request, moment.now)))
    }
}
