use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    DueSchedule, JobId, PlanTicks, PlannedTick, ScheduleChange, ScheduleDefinition, ScheduleSource, TickKind,
    TickOutcome, TickPlan, Timestamp, WaitingTick,
};

/// What a database keeps of a schedule beside its ticks, and how each call changes it: the same in every backend.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// The definition as JSON, also one that this program does not understand.
    pub definition: String,
    /// Grows with each change of the definition.
    pub revision: u64,
    /// Who defined it.
    pub source: ScheduleSource,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its definition was last changed.
    pub changed_at: Timestamp,
    /// All ticks up to this instant are settled.
    pub settled_until: Timestamp,
    /// When it is next settled; none if it has no tick any more.
    pub next_due_at: Option<Timestamp>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Why an operator has paused it; none if the definition itself says that it is paused.
    pub pause_reason: Option<String>,
    /// The ticks that wait for the end of the last job, oldest first.
    pub waiting: Vec<WaitingTick>,
    /// The job of the last tick that made one.
    pub last_job_id: Option<JobId>,
}

/// What becomes of a schedule when a definition is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleFit {
    /// There is none of this name yet.
    New,
    /// It has this definition and this source already.
    Same,
    /// Its definition is replaced, and its timing stays.
    Edited,
    /// Its definition is replaced, and it starts now: it is due at other instants.
    Restarted,
}

/// What a schedule was asked to do with ticks that are due before it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// Decides as the planner does.
    Planned,
    /// No tick makes a job any more: what would have made one is [`TickOutcome::Missed`].
    GivenUp,
}

/// The reason that a schedule is shown with while its definition says that it is paused.
const PAUSED_BY_DEFINITION: &str = "its definition says that it is paused";
const GIVEN_UP: &str = "the schedule was changed before this tick was settled";

impl ScheduleRow {
    /// A schedule that starts now.
    pub fn begin(
        definition: &ScheduleDefinition,
        source: ScheduleSource,
        planner: &dyn PlanTicks,
        now: Timestamp,
    ) -> Self {
        Self {
            name: definition.name.clone(),
            definition: written(definition),
            revision: 1,
            source,
            created_at: now,
            changed_at: now,
            settled_until: now,
            next_due_at: planner.next_after(definition, now),
            paused_at: definition.paused.then_some(now),
            pause_reason: None,
            waiting: Vec::new(),
            last_job_id: None,
        }
    }

    /// Its definition. An error is one that this program does not understand.
    pub fn parsed(&self) -> Result<ScheduleDefinition, String> {
        serde_json::from_str(&self.definition).map_err(|error| error.to_string())
    }

    /// What applying this definition means.
    pub fn fit(&self, definition: &ScheduleDefinition, source: ScheduleSource) -> ScheduleFit {
        match self.parsed() {
            Ok(own) if own == *definition && self.source == source => ScheduleFit::Same,
            Ok(own) if own.timing == definition.timing => ScheduleFit::Edited,
            _ => ScheduleFit::Restarted,
        }
    }

    /// What must become of the ticks that are due before this definition replaces the present one, if anything.
    pub fn settling_before(&self, definition: &ScheduleDefinition, fit: ScheduleFit) -> Option<Settling> {
        match fit {
            ScheduleFit::New | ScheduleFit::Same => None,
            ScheduleFit::Restarted => Some(Settling::GivenUp),
            ScheduleFit::Edited => self.is_released_by(definition).then_some(Settling::Planned),
        }
    }

    /// Replaces the definition. A pause of an operator stays.
    pub fn define(
        &mut self,
        definition: &ScheduleDefinition,
        source: ScheduleSource,
        planner: &dyn PlanTicks,
        now: Timestamp,
    ) {
        let fit = self.fit(definition, source);
        let was_paused = self.parsed().is_ok_and(|own| own.paused);
        if definition.paused && !was_paused && self.paused_at.is_none() {
            (self.paused_at, self.pause_reason) = (Some(now), None);
        } else if self.is_released_by(definition) {
            self.paused_at = None;
        }
        if fit == ScheduleFit::Restarted {
            (self.settled_until, self.waiting) = (now, Vec::new());
        }
        self.definition = written(definition);
        self.source = source;
        self.revision += 1;
        self.changed_at = now;
        self.next_due_at = planner.next_after(definition, self.settled_until);
    }

    /// Whether only the present definition pauses it, and this one does not.
    fn is_released_by(&self, definition: &ScheduleDefinition) -> bool {
        let is_by_definition = self.paused_at.is_some() && self.pause_reason.is_none();
        is_by_definition && !definition.paused
    }

    /// Whether ticks must be settled before this change, as long as the pause still holds.
    pub fn settles_before(&self, change: &ScheduleChange) -> bool {
        matches!(change, ScheduleChange::Resume { catch_up: false }) && self.paused_at.is_some()
    }

    /// From which instant on the skipped ticks of the pause are decided anew, if this change says so.
    pub fn reopened_from(&self, change: &ScheduleChange) -> Option<Timestamp> {
        match change {
            ScheduleChange::Resume { catch_up: true } => self.paused_at,
            _ => None,
        }
    }

    /// Pauses or resumes it. Returns whether anything has changed.
    pub fn change(&mut self, change: &ScheduleChange, now: Timestamp) -> bool {
        match change {
            ScheduleChange::Pause { reason } => {
                let reason = kept(reason);
                let is_new = self.paused_at.is_none() || self.pause_reason.as_ref() != Some(&reason);
                self.paused_at.get_or_insert(now);
                self.pause_reason = Some(reason);
                is_new
            }
            ScheduleChange::Resume { catch_up } => {
                let Some(paused_at) = self.paused_at.take() else { return false };
                self.pause_reason = None;
                if *catch_up {
                    // The tick at the very beginning of the pause belongs to it.
                    let before = Timestamp::from_ms(paused_at.as_ms() - 1);
                    self.settled_until = self.settled_until.min(before);
                    self.next_due_at = Some(now);
                }
                true
            }
            ScheduleChange::Remove => true,
        }
    }

    /// The waiting ticks as one text; none if there is none.
    pub fn waiting_text(&self) -> Option<String> {
        let waiting: Vec<KeptTick> = self.waiting.iter().map(KeptTick::of).collect();
        (!waiting.is_empty()).then(|| serde_json::to_string(&waiting).expect("numbers are JSON"))
    }

    /// The reverse of [`ScheduleRow::waiting_text`]; nothing for another text.
    pub fn waiting_from(text: &str) -> Vec<WaitingTick> {
        let waiting: Vec<KeptTick> = serde_json::from_str(text).unwrap_or_default();
        waiting.into_iter().map(KeptTick::tick).collect()
    }

    /// What the planner needs to know.
    pub fn due(&self, definition: ScheduleDefinition, open_job: Option<JobId>) -> DueSchedule {
        let reason = || self.pause_reason.clone().unwrap_or_else(|| PAUSED_BY_DEFINITION.to_owned());
        DueSchedule {
            definition,
            settled_until: self.settled_until,
            paused: self.paused_at.map(|at| (at, reason())),
            waiting: self.waiting.clone(),
            open_job,
        }
    }

    /// Whether a scheduler must decide about it now.
    pub fn is_due(&self, open_job: Option<JobId>, now: Timestamp) -> bool {
        self.next_due_at.is_some_and(|at| at <= now) || !self.waiting.is_empty() && open_job.is_none()
    }

    /// Takes over where a plan ends.
    pub fn settle(&mut self, plan: &TickPlan, last_job_id: Option<JobId>) {
        self.settled_until = self.settled_until.max(plan.settled_until);
        self.waiting.clone_from(&plan.waiting);
        self.next_due_at = plan.next_due_at;
        self.last_job_id = last_job_id.or(self.last_job_id);
    }
}

/// A waiting tick in the text of its database.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KeptTick {
    /// When it is due, since when it waits, and whether it is after a gap.
    Whole(i64, i64, bool),
    /// Only when it is due, as earlier builds have written it.
    DueAlone(i64),
}

impl KeptTick {
    fn of(tick: &WaitingTick) -> Self {
        Self::Whole(tick.due_at.as_ms(), tick.since.as_ms(), tick.is_after_gap)
    }

    fn tick(self) -> WaitingTick {
        let (due_at, since, is_after_gap) = match self {
            Self::Whole(due_at, since, is_after_gap) => (due_at, since, is_after_gap),
            Self::DueAlone(due_at) => (due_at, due_at, false),
        };
        WaitingTick { due_at: Timestamp::from_ms(due_at), since: Timestamp::from_ms(since), is_after_gap }
    }
}

impl TickPlan {
    /// The plan in this manner.
    #[must_use]
    pub fn in_manner(mut self, settling: Settling) -> Self {
        if settling == Settling::Planned {
            return self;
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|tick| PlannedTick {
            due_at: tick.due_at,
            until_at: None,
            ticks: 1,
            kind: TickKind::Scheduled,
            outcome: TickOutcome::Missed,
            why: GIVEN_UP.to_owned(),
            job: None,
        });
        self.cancel_open_job = false;
        let given_up = self.ticks.into_iter().map(|tick| if tick.job.is_some() { tick.missed(GIVEN_UP) } else { tick });
        self.ticks = waiting.chain(given_up).collect();
        self
    }
}

impl PlannedTick {
    /// The tick without its job.
    #[must_use]
    pub fn missed(self, why: &str) -> Self {
        Self { outcome: TickOutcome::Missed, why: kept(why), job: None, ..self }
    }

    /// The tick whose job the database does not accept.
    #[must_use]
    pub fn refused(self, reason: &dyn fmt::Display) -> Self {
        self.missed(&format!("the database refused the job: {reason}"))
    }

    /// The tick whose job met another one with its unique key.
    #[must_use]
    pub fn joined(self, id: JobId) -> Self {
        let why = format!("{}; job {id} with the same unique key had not ended, and no other was made", self.why);
        Self { why, ..self }
    }
}

/// Text for people as every database can keep it: PostgreSQL has no character for zero.
pub(crate) fn kept(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn written(definition: &ScheduleDefinition) -> String {
    serde_json::to_string(definition).expect("a definition has only text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ticks_are_read_as_they_were_written() {
        let at = Timestamp::from_ms;
        let waiting = [
            WaitingTick { due_at: at(60_000), since: at(95_000), is_after_gap: true },
            WaitingTick { due_at: at(120_000), since: at(120_000), is_after_gap: false },
        ];
        let text = serde_json::to_string(&waiting.each_ref().map(KeptTick::of)).unwrap();
        assert_eq!(text, "[[60000,95000,true],[120000,120000,false]]");
        assert_eq!(ScheduleRow::waiting_from(&text), waiting);
        assert_eq!(ScheduleRow::waiting_from("[120000]"), waiting[1..]);
        assert!(ScheduleRow::waiting_from("[[1]]").is_empty());
    }
}
