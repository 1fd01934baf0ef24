use std::time::Duration;

use longshore_core::{
    DueSchedule, Limits, Missed, Overlap, PlannedTick, ScheduleDefinition, TickKind, TickOutcome, TickPlan, Timestamp,
    WaitingTick,
};

use super::{jitter, job_of, settled_at};
use crate::Ticks;
use crate::words;

/// A tick that is settled later than `late_after` is after a gap, but not before this: a busy database is no gap.
const GAP_MIN: Duration = Duration::from_secs(10);
/// A paused schedule writes one row for all ticks of this span at most.
const PAUSED_MAX: Duration = Duration::from_secs(60);
/// How many changes of the clock one plan tells about.
const LOST_MAX: usize = 100;
const MILLISECOND: Duration = Duration::from_millis(1);
/// A tick that is settled sooner is on time.
const LATE_MIN: Duration = Duration::from_secs(1);

/// One decision about a schedule, while it is made.
pub(crate) struct Decision<'a> {
    schedule: &'a DueSchedule,
    definition: &'a ScheduleDefinition,
    ticks: &'a Ticks,
    now: Timestamp,
    /// Ticks after the settled ones and until this instant are decided.
    until: Timestamp,
    rows: Vec<PlannedTick>,
    waiting: Vec<WaitingTick>,
    /// Whether a job that is open now, or is made by this plan, has not ended.
    has_open_job: bool,
    cancel_open_job: bool,
    /// Since when the schedule was not settled, if that is worth telling.
    gap: Option<Timestamp>,
}

impl<'a> Decision<'a> {
    pub(crate) fn new(schedule: &'a DueSchedule, ticks: &'a Ticks, now: Timestamp) -> Self {
        let definition = &schedule.definition;
        let from = schedule.settled_until;
        // The last tick may be due, but not yet settled by its jitter. A clock that went back settles nothing twice.
        let last = ticks.last_until(now).filter(|last| *last > from);
        let until = match last {
            Some(last) if settled_at(definition, ticks, last).is_some_and(|at| at > now) => last.before(MILLISECOND),
            _ => now,
        };
        let oldest = ticks.next_after(from).filter(|oldest| *oldest <= until);
        let gap_min = GAP_MIN.max(Duration::from_millis(definition.late_after_ms));
        let is_too_late = |tick: &Timestamp| now.since(tick.after(jitter(definition, ticks, *tick))) > gap_min;
        let gap = oldest.filter(|oldest| schedule.paused.is_none() && is_too_late(oldest));
        Self {
            schedule,
            definition,
            ticks,
            now,
            until: until.max(from),
            rows: Vec::new(),
            waiting: schedule.waiting.clone(),
            has_open_job: schedule.open_job.is_some(),
            cancel_open_job: false,
            gap,
        }
    }

    pub(crate) fn decide(mut self) -> TickPlan {
        self.tell_lost();
        match &self.schedule.paused {
            Some((since, reason)) => self.decide_paused(*since, reason),
            None => self.decide_running(),
        }
        let next = self.ticks.next_after(self.until);
        let next = next.and_then(|next| settled_at(self.definition, self.ticks, next));
        let warning = self.warning();
        self.rows.sort_by_key(|row| row.due_at);
        TickPlan {
            ticks: self.rows,
            settled_until: self.until,
            waiting: self.waiting,
            next_due_at: next.map(|next| next.max(paused_pause(self.schedule, self.now))),
            cancel_open_job: self.cancel_open_job,
            warning,
        }
    }

    fn warning(&self) -> Option<String> {
        let since = self.gap?;
        let count = self.ticks.count(self.schedule.settled_until, self.until);
        let (count, since) = (words::ticks(count), words::instant(since));
        Some(format!(
            "{count} since {since} had not been settled: no scheduler ran, or the database was restored from an older copy"
        ))
    }

    fn tell_lost(&mut self) {
        let lost = self.ticks.lost(self.schedule.settled_until, self.until);
        for lost in lost.iter().skip(lost.len().saturating_sub(LOST_MAX)) {
            let (from, to) = (words::civil(lost.civil_from), words::civil(lost.civil_to));
            self.rows.push(PlannedTick {
                due_at: lost.at,
                until_at: None,
                ticks: lost.ticks,
                kind: TickKind::Scheduled,
                outcome: TickOutcome::NoSuchTime,
                why: format!("the clock went from {from} to {to}, so the times between did not exist"),
                job: None,
            });
        }
    }

    fn decide_paused(&mut self, since: Timestamp, reason: &str) {
        let why = format!("paused since {}: {reason}", words::instant(since));
        for WaitingTick { due_at, .. } in std::mem::take(&mut self.waiting) {
            self.push_run(due_at.before(MILLISECOND), due_at, 1, TickOutcome::SkippedPaused, &why);
        }
        let from = self.schedule.settled_until;
        let paused_from = since.before(MILLISECOND).clamp(from, self.until);
        self.skip(from, paused_from, TickOutcome::Missed, "not settled before the schedule was paused");
        self.skip(paused_from, self.until, TickOutcome::SkippedPaused, &why);
    }

    fn decide_running(&mut self) {
        let catch_up = Duration::from_millis(self.definition.catch_up_ms);
        let oldest = self.now.before(catch_up).before(MILLISECOND);
        self.decide_waiting(oldest);
        let from = self.schedule.settled_until;
        let recent = oldest.clamp(from, self.until);
        let too_old = format!("older than catch_up = {}{}", words::span(catch_up), self.gap_words());
        self.skip(from, recent, TickOutcome::Missed, &too_old);
        let chosen = self.chosen(recent);
        let rest = chosen.first().map_or(self.until, |first| first.before(MILLISECOND));
        let (outcome, why) = self.of_the_rest();
        self.skip(recent, rest, outcome, &why);
        let is_late = chosen.last().is_some_and(|last| self.is_late(*last));
        let is_caught_up = self.definition.missed == Missed::All && (chosen.len() > 1 || is_late);
        for tick in chosen {
            self.admit(tick, is_caught_up);
        }
    }

    /// The ticks that waited for the open job. One of them goes on when it has ended.
    fn decide_waiting(&mut self, oldest: Timestamp) {
        for mut tick in std::mem::take(&mut self.waiting) {
            // In a newer state of the database its job may have been made, too.
            tick.is_after_gap |= self.gap.is_some();
            let WaitingTick { due_at, since, is_after_gap } = tick;
            let waited = format!("waited {} for the job before it to end", words::span(self.now.since(since)));
            if due_at <= oldest {
                let catch_up = words::span(Duration::from_millis(self.definition.catch_up_ms));
                let why = format!("older than catch_up = {catch_up}; {waited}{}", gap_words(is_after_gap));
                self.push_run(due_at.before(MILLISECOND), due_at, 1, TickOutcome::Missed, &why);
            } else if !self.has_open_job || self.definition.overlap == Overlap::Allow {
                self.push_job(due_at, waited + &self.before_waiting(&tick));
            } else {
                self.waiting.push(tick);
            }
        }
    }

    /// The newest ticks, as many as may become jobs; oldest first.
    fn chosen(&self, from: Timestamp) -> Vec<Timestamp> {
        let count = match (self.definition.missed, self.definition.overlap) {
            (Missed::Latest | Missed::Skip, _) | (Missed::All, Overlap::Replace) => 1,
            (Missed::All, _) => self.definition.catch_up_max.min(ScheduleDefinition::CATCH_UP_MAX),
        };
        let mut chosen = Vec::new();
        let mut until = self.until;
        while u32::try_from(chosen.len()).is_ok_and(|made| made < count)
            && let Some(tick) = self.ticks.last_until(until).filter(|tick| *tick > from)
        {
            if self.definition.missed == Missed::Skip && self.is_late(tick) {
                break;
            }
            chosen.push(tick);
            until = tick.before(MILLISECOND);
        }
        chosen.reverse();
        chosen
    }

    fn of_the_rest(&self) -> (TickOutcome, String) {
        let gap = self.gap_words();
        match (self.definition.missed, self.definition.overlap) {
            (Missed::Skip, _) => (TickOutcome::Missed, format!("not settled in time, and missed = skip{gap}")),
            (Missed::All, overlap) if overlap != Overlap::Replace => {
                let max = self.definition.catch_up_max;
                (TickOutcome::Missed, format!("more than catch_up_max = {max} ticks were due{gap}"))
            }
            _ => (TickOutcome::Coalesced, format!("a later tick was due as well{gap}")),
        }
    }

    fn admit(&mut self, tick: Timestamp, is_caught_up: bool) {
        if self.definition.overlap == Overlap::Allow || (!self.has_open_job && self.waiting.is_empty()) {
            return self.push_job(tick, self.of_time(tick));
        }
        let may_wait = match self.definition.overlap {
            Overlap::Replace => return self.replace(tick),
            Overlap::After => is_caught_up || self.waiting.is_empty(),
            Overlap::Skip | Overlap::Allow => is_caught_up,
        };
        if may_wait && self.waiting.len() < ScheduleDefinition::CATCH_UP_MAX as usize {
            let is_after_gap = self.is_after_gap(tick);
            self.waiting.push(WaitingTick { due_at: tick, since: self.now, is_after_gap });
            return;
        }
        let why = match (self.schedule.open_job, self.waiting.len()) {
            (Some(job), 0) => format!("job {job} of an earlier tick has not ended"),
            (_, 0) => "the job of an earlier tick has not ended".to_owned(),
            (_, 1) => "an earlier tick already waits for the job before it".to_owned(),
            (_, waiting) => format!("{waiting} earlier ticks already wait for the jobs before them"),
        };
        let why = why + gap_words(self.is_after_gap(tick));
        self.push_run(tick.before(MILLISECOND), tick, 1, TickOutcome::SkippedOverlap, &why);
    }

    fn replace(&mut self, tick: Timestamp) {
        for WaitingTick { due_at, .. } in std::mem::take(&mut self.waiting) {
            let why = "a later tick replaced it while it waited";
            self.push_run(due_at.before(MILLISECOND), due_at, 1, TickOutcome::Coalesced, why);
        }
        self.cancel_open_job = self.schedule.open_job.is_some();
        let of_time = self.of_time(tick);
        let why = match self.schedule.open_job {
            Some(job) => format!("{of_time}; job {job} of an earlier tick was cancelled"),
            None => of_time,
        };
        self.push_job(tick, why);
    }

    fn push_job(&mut self, tick: Timestamp, why: String) {
        let (outcome, job, why) = match job_of(self.definition, tick).check(&Limits::default()) {
            Ok(job) if self.is_late(tick) => (TickOutcome::Late, Some(job), why),
            Ok(job) => (TickOutcome::Enqueued, Some(job), why),
            Err(error) => (TickOutcome::Missed, None, format!("its job is not valid: {error}")),
        };
        self.has_open_job |= job.is_some();
        let kind = TickKind::Scheduled;
        self.rows.push(PlannedTick { due_at: tick, until_at: None, ticks: 1, kind, outcome, why, job });
    }

    /// One row for all ticks after one instant and until another.
    fn skip(&mut self, after: Timestamp, until: Timestamp, outcome: TickOutcome, why: &str) {
        let count = self.ticks.count(after, until);
        if count > 0 {
            self.push_run(after, until, count, outcome, why);
        }
    }

    fn push_run(&mut self, after: Timestamp, until: Timestamp, ticks: u64, outcome: TickOutcome, why: &str) {
        let first = if ticks == 1 { self.ticks.last_until(until) } else { self.ticks.next_after(after) };
        let due_at = first.unwrap_or(until);
        let until_at = if ticks == 1 { None } else { self.ticks.last_until(until) };
        let kind = TickKind::Scheduled;
        self.rows.push(PlannedTick { due_at, until_at, ticks, kind, outcome, why: why.to_owned(), job: None });
    }

    fn lateness(&self, tick: Timestamp) -> Duration {
        self.now.since(tick.after(jitter(self.definition, self.ticks, tick)))
    }

    fn is_late(&self, tick: Timestamp) -> bool {
        self.lateness(tick) > Duration::from_millis(self.definition.late_after_ms)
    }

    fn is_after_gap(&self, tick: Timestamp) -> bool {
        self.gap.is_some() && self.lateness(tick) >= LATE_MIN
    }

    fn of_time(&self, tick: Timestamp) -> String {
        if self.lateness(tick) < LATE_MIN {
            return "on time".to_owned();
        }
        self.late_words(tick, self.gap.is_some())
    }

    /// That the tick was late before it waited, if it was.
    fn before_waiting(&self, tick: &WaitingTick) -> String {
        let waited = self.now.since(tick.since);
        if !tick.is_after_gap && self.lateness(tick.due_at) < waited + LATE_MIN {
            return String::new();
        }
        format!(", {}", self.late_words(tick.due_at, tick.is_after_gap))
    }

    fn late_words(&self, tick: Timestamp, is_after_gap: bool) -> String {
        let again = if is_after_gap { ", and then it may have run before" } else { "" };
        format!("{} after it was due{}{again}", words::span(self.lateness(tick)), gap_words(is_after_gap))
    }

    fn gap_words(&self) -> &'static str {
        gap_words(self.gap.is_some())
    }
}

const fn gap_words(is_after_gap: bool) -> &'static str {
    if is_after_gap { "; no scheduler ran, or the database was restored from an older copy" } else { "" }
}

/// While a schedule is paused, nothing is to be done in time. So the longer the pause, the more ticks are one row.
fn paused_pause(schedule: &DueSchedule, now: Timestamp) -> Timestamp {
    match &schedule.paused {
        Some((since, _)) => now.after((now.since(*since) / 10).min(PAUSED_MAX)),
        None => Timestamp::MIN,
    }
}
